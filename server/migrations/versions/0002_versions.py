"""Versions of models, their audited transitions, and what holds a model's changes in order."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "version_heads",
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("previous", sa.String(64)),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("last_hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(200), sa.ForeignKey("version_heads.model"), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("parent", sa.String(64)),
        sa.Column("base_model", sa.String(400), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("folder", sa.String(4000), nullable=False),
        sa.Column("weights_digest", sa.String(64), nullable=False),
        sa.Column("tokenizer_digest", sa.String(64)),
        sa.Column("num_bytes", sa.BigInteger, nullable=False),
        sa.Column("run", sa.String(400)),
        sa.Column("step", sa.Integer),
        sa.Column("recipe_digest", sa.String(128)),
        sa.Column("dataset_digests", sa.JSON, nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
        sa.Column("is_pinned", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("predecessor", sa.String(64)),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("model", "version", name="one_meaning_a_name"),
    )
    for state in ("live", "canary"):
        where = sa.text(f"state = '{state}'")
        op.create_index(
            f"one_{state}_a_model",
            "versions",
            ["model"],
            unique=True,
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_table(
        "version_transitions",
        sa.Column("model", sa.String(200), sa.ForeignKey("version_heads.model"), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("from_state", sa.String(16)),
        sa.Column("to_state", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("version_transitions")
    op.drop_table("versions")
    op.drop_table("version_heads")
