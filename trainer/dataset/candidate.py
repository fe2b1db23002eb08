"""What a source offers before it is verified, and what became of what was left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainer.dataset.problem import TrainingProblem
from trainer.dataset.tasks import TrainingTask


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A problem with programs that are said to solve it.

    problem: with all of its tests. solutions: tried in order; one that passes is enough.
    alternatives: other readings of the tests, tried where no solution passes the first one.
    uses_all_tests: whether every test rewards, as LiveCodeBench's do. num_tests: where a test holds
    many cases; else the task's are counted. is_composed: made beside others that read alike and ask
    something else, so that near-duplicates inside the source are none.
    """

    problem: TrainingProblem
    solutions: tuple[str, ...] = ()
    alternatives: tuple[TrainingTask, ...] = ()
    uses_all_tests: bool = False
    num_tests: int | None = None
    is_composed: bool = False


@dataclass(frozen=True, kw_only=True)
class Drop:
    """A problem that is not in the data set. reason: one of a few words. detail: for a person."""

    id: str
    source: str
    reason: str
    detail: str = ""

    def as_row(self) -> dict[str, Any]:
        """Plain data for dropped.jsonl."""
        return dict(vars(self))


def reasons(drops: Sequence[Drop]) -> dict[str, int]:
    """How many were left out, by reason, the most frequent first."""
    counts: dict[str, int] = {}
    for drop in drops:
        counts[drop.reason] = counts.get(drop.reason, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))
