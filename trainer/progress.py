"""How far a run has come, apart from its weights: what a checkpoint saves beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer.batch import Batch, batch_of
from trainer.dataset.order import Order
from trainer.errors import CheckpointInvalid


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a prompt of an iteration went: for the order, once that iteration has been learned."""

    iteration: int
    problem_id: str
    num_right: int
    num_counted: int


@dataclass(kw_only=True)
class Progress:
    """iteration: the last one learned. version: of the policy then, older_version: of the one that batches
    in flight are drawn from. in_flight: batches of later iterations, oldest first. outcomes: not yet
    told to the order. evaluated: iterations after which there was an evaluation.
    """

    iteration: int = 0
    version: int = 0
    older_version: int = 0
    dead_iterations: int = 0
    stage: int = -1
    in_flight: list[Batch] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    evaluated: list[int] = field(default_factory=list)

    def as_row(self, order: Order, *, log_bytes: int) -> dict[str, Any]:
        """Plain data, taken in one go: nothing of it may change before all of it is taken."""
        row = vars(self) | {
            "in_flight": [batch.as_row() for batch in self.in_flight],
            "outcomes": [vars(one) for one in self.outcomes],
            "evaluated": list(self.evaluated),
        }
        return row | {"order": order.state(), "log_bytes": log_bytes}


def progress_of(row: Mapping[str, Any]) -> Progress:
    """Of a checkpoint's row. Raises CheckpointInvalid for one of another program."""
    known = {name: row[name] for name in row.keys() - {"order", "log_bytes"}}
    try:
        known["in_flight"] = [batch_of(one) for one in row["in_flight"]]
        known["outcomes"] = [Outcome(**one) for one in row["outcomes"]]
        return Progress(**known)
    except (KeyError, TypeError) as error:
        raise CheckpointInvalid(
            f"the checkpoint's progress.json is of another version of codeloop"
            f" ({type(error).__name__}: {error}): go on with that version, or begin anew"
        ) from error
