"""What the catalog knows of a version, and of each move that it made."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from server.errors import VersionError
from server.version_states import State

Kind = Literal["base", "full", "adapter"]
"""base: the model that an engine starts from, version `0`; its folder is not the catalog's."""

BASE_VERSION = "0"
FIRST_HASH = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Score:
    """A measured score with its interval, all in the same unit. num_problems: that it rests on."""

    value: float
    low: float
    high: float
    num_problems: int | None = None


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of one model.

    folder: absolute; gone once the state is `removed`. weights_digest: of all files, as a stored
    model's. parent: that training went on from. predecessor: that was live before it went live.
    """

    model: str
    version: str
    parent: str | None
    base_model: str
    kind: Kind
    folder: Path
    weights_digest: str
    tokenizer_digest: str | None
    num_bytes: int
    run: str | None
    step: int | None
    recipe_digest: str | None
    dataset_digests: Mapping[str, str]
    summary: Mapping[str, Any]
    scores: Mapping[str, Score]
    is_pinned: bool
    state: State
    predecessor: str | None
    created_at: dt.datetime

    @property
    def name(self) -> str:
        """As users write it: `model@version`."""
        return f"{self.model}@{self.version}"


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One audited row. sequence: 1, 2, 3 … within a model; it orders, the time only tells.

    Equal states are a note about a version that did not move: a pin, a score.
    """

    model: str
    sequence: int
    version: str
    from_state: State | None
    to_state: State
    actor: str
    reason: str
    evidence: Mapping[str, Any]
    at: dt.datetime
    previous_hash: str
    hash: str

    def computed_hash(self) -> str:
        """SHA-256 of all the row says, the hash of the row before included."""
        content = (
            self.previous_hash,
            self.model,
            self.sequence,
            self.version,
            self.from_state,
            self.to_state,
            self.actor,
            self.reason,
            self.evidence,
            self.at.isoformat(),
        )
        return hashlib.sha256(canonical(content).encode()).hexdigest()


def canonical(content: object) -> str:
    """JSON that is the same for equal content. Raises VersionError for what JSON cannot say."""
    try:
        return json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise VersionError(
            f"the evidence cannot be kept as JSON ({error}): give numbers that are finite, texts,"
            " lists and objects"
        ) from None


def version_of(row: sa.Row[tuple[object, ...]], root: Path) -> Version:
    """A row of `versions`; relative folders are below `root`."""
    fields = dict(row._asdict())
    del fields["id"]
    scores = {name: Score(**score) for name, score in fields["scores"].items()}
    return Version(
        **fields
        | {
            "folder": root / fields["folder"],
            "state": State(fields["state"]),
            "scores": scores,
        }
    )


def transition_of(row: sa.Row[tuple[object, ...]]) -> Transition:
    """A row of `version_transitions`."""
    fields = dict(row._asdict())
    before = fields["from_state"]
    return Transition(
        **fields
        | {
            "from_state": State(before) if before else None,
            "to_state": State(fields["to_state"]),
        }
    )
