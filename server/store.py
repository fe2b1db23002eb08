"""The database: API keys, usage and versions, through SQLAlchemy; SQLite unless told otherwise.

Calls block and belong in a thread. The schema is Alembic's (`migrations/`), brought up to date
when the store is opened.
"""

import datetime as dt
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from server.errors import StoreError

BUSY_SECONDS = 5
"""How long a statement waits for another process's transaction."""

METADATA = sa.MetaData()

API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("prefix", sa.String(16), nullable=False, unique=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("lanes", sa.JSON, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("expires_at", sa.DateTime),
    sa.Column("revoked_at", sa.DateTime),
)

USAGE = sa.Table(
    "usage",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False, index=True),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("key_id", sa.Integer, sa.ForeignKey("api_keys.id"), index=True),
    sa.Column("route", sa.String(40), nullable=False),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("lane", sa.String(8), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("completion_tokens", sa.Integer, nullable=False),
    sa.Column("cached_tokens", sa.Integer, nullable=False),
    sa.Column("reasoning_tokens", sa.Integer, nullable=False),
    sa.Column("queue_seconds", sa.Float, nullable=False),
    sa.Column("first_token_seconds", sa.Float),
    sa.Column("total_seconds", sa.Float, nullable=False),
)

VERSION_HEADS = sa.Table(
    "version_heads",
    METADATA,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("previous", sa.String(64)),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("last_hash", sa.String(64), nullable=False),
)
"""One row a model with versions; whoever changes any of them holds it for the transaction."""

VERSIONS = sa.Table(
    "versions",
    METADATA,
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

for _state in ("live", "canary"):
    sa.Index(
        f"one_{_state}_a_model",
        VERSIONS.c.model,
        unique=True,
        sqlite_where=VERSIONS.c.state == _state,
        postgresql_where=VERSIONS.c.state == _state,
    )

VERSION_TRANSITIONS = sa.Table(
    "version_transitions",
    METADATA,
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
"""Append-only: rows are inserted and never changed, and each holds the hash of the one before."""


REVISION = "0002"
"""The newest of migrations/versions."""

ALEMBIC = sa.table("alembic_version", sa.column("version_num"))


def utc_now() -> dt.datetime:
    """The time as the store keeps it: UTC, without a zone mark."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


class Store:
    """A database brought up to date, and short transactions on it."""

    def __init__(self, url: str) -> None:
        """Open and migrate. Raises StoreError naming the database and what is wrong with it."""
        self.url = url
        try:
            self._engine = sa.create_engine(url)
            if self._engine.dialect.name == "sqlite":
                event.listen(self._engine, "connect", _tune_sqlite)
            self._migrate()
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(
                f"the database {url} cannot be opened: {error}; check its path and rights"
            ) from error

    def rows(
        self, statement: sa.Select[tuple[object, ...]]
    ) -> Sequence[sa.Row[tuple[object, ...]]]:
        """All rows of a query."""
        with self._engine.connect() as connection:
            return connection.execute(statement).all()

    def write(
        self, statement: sa.Executable, rows: Sequence[dict[str, object]] | None = None
    ) -> int:
        """Execute in one transaction; returns the number of rows that it touched."""
        try:
            with self._engine.begin() as connection:
                return int(connection.execute(statement, rows).rowcount)
        except SQLAlchemyError as error:
            raise StoreError(f"the database {self.url} refused a write: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Statements that take effect together, or not at all when the block raises.

        Begin with a write: SQLite then waits for other writers instead of failing later.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"the database {self.url} refused a write: {error}") from error

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _migrate(self) -> None:
        if self._revision() == REVISION:
            return
        # Imported here: it takes longer than all that a command does with a database.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                # Two processes may open a new database at once; the second finds it done.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _revision(self) -> str | None:
        """Alembic's mark; None for a database that is new."""
        with self._engine.connect() as connection:
            if not sa.inspect(connection).has_table(ALEMBIC.name):
                return None
            return connection.execute(sa.select(ALEMBIC.c.version_num)).scalar()


def _tune_sqlite(connection: object, record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    # WAL: a writer does not stop readers. NORMAL is safe with it: a power cut loses no consistency.
    _write_ahead(cursor)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Switch a database to WAL. SQLite's own wait does not cover this: a second opener is refused."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
