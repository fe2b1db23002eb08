"""In which order problems come: whole epochs, each shuffled by the seed, resumable from two integers.

Curriculum: within an epoch the easy ones first, shuffled among equals. Online filter: after its first
visit a problem comes again only while some and not all of its answers were right, as the others teach
nothing now; a share of the others comes all the same, as they may have changed.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainer.dataset.problem import TrainingProblem
from trainer.errors import DatasetInvalid

_RANKS = {"easy": 0, "medium": 1, "medium_hard": 2, "hard": 3, "very_hard": 4}
_NO_RANK = 1.5
OTHERS_SHARE = 0.2
"""Of the problems that the filter would leave out, how many come: as measured on MBPP."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the order stands: the next problem is number `index` of the epoch."""

    epoch: int = 0
    index: int = 0


@dataclass(kw_only=True)
class Order:
    """The order of a data set's problems.

    seed, has_curriculum, is_filtered: as a recipe says; the same for a run and its resumption.
    place and passes are the whole state.
    """

    problems: Sequence[TrainingProblem]
    seed: int
    has_curriculum: bool = False
    is_filtered: bool = False
    others_share: float = OTHERS_SHARE
    place: Place = field(default_factory=Place)
    passes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Problem → (right answers, answers) at its last visit."""

    def __post_init__(self) -> None:
        if not self.problems:
            raise DatasetInvalid("an order has no problems: a data set has at least one")
        self._epoch_ids: list[int] = self._ordered(self.place.epoch)

    def take(self, count: int) -> list[TrainingProblem]:
        """The next problems; the epoch's end is followed by the next epoch's begin.

        With the filter, what an epoch holds is decided by what was known when it began.
        """
        taken = list[TrainingProblem]()
        while len(taken) < count:
            if self.place.index >= len(self._epoch_ids):
                self._begin(self.place.epoch + 1)
            taken.append(self.problems[self._epoch_ids[self.place.index]])
            self.place = Place(epoch=self.place.epoch, index=self.place.index + 1)
        return taken

    def note(self, problem: str, num_right: int, num_answers: int) -> None:
        """How the answers to a problem were; those without a verdict are not counted."""
        if num_answers:
            self.passes[problem] = (num_right, num_answers)

    def state(self) -> dict[str, Any]:
        """Plain data for a checkpoint; `restore` reads it back."""
        return {
            "epoch": self.place.epoch,
            "index": self.place.index,
            "passes": {name: list(seen) for name, seen in sorted(self.passes.items())},
            "epoch_ids": list(self._epoch_ids) if self.is_filtered else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state. Raises DatasetInvalid for one of another data set."""
        known = {problem.id for problem in self.problems}
        passes = {str(name): (int(a), int(b)) for name, (a, b) in state["passes"].items()}
        ids = state["epoch_ids"]
        if passes.keys() - known or (ids and max(ids) >= len(self.problems)):
            raise DatasetInvalid(
                "the order's state speaks of problems that the data set has not: resume with the data"
                " set that the run began with"
            )
        self.passes = passes
        self.place = Place(epoch=int(state["epoch"]), index=int(state["index"]))
        self._epoch_ids = list(ids) if ids is not None else self._ordered(self.place.epoch)

    def _begin(self, epoch: int) -> None:
        self.place = Place(epoch=epoch)
        self._epoch_ids = self._ordered(epoch)

    def _ordered(self, epoch: int) -> list[int]:
        """Numbers of an epoch's problems."""
        draw = random.Random(f"{self.seed}/{epoch}")
        numbers = list(range(len(self.problems)))
        draw.shuffle(numbers)
        if self.is_filtered:
            numbers = self._filtered(numbers)
        if self.has_curriculum:
            numbers.sort(key=lambda number: _difficulty(self.problems[number]))
        return numbers

    def _filtered(self, numbers: Sequence[int]) -> list[int]:
        """The live ones and those not seen yet, and a share of the others; all where none is live."""
        others = [number for number in numbers if not self._is_live(number)]
        if len(others) == len(numbers):
            return list(numbers)
        left_out = set(others[round(self.others_share * len(others)) :])
        return [number for number in numbers if number not in left_out]

    def _is_live(self, number: int) -> bool:
        seen = self.passes.get(self.problems[number].id)
        return seen is None or 0 < seen[0] < seen[1]


def _difficulty(problem: TrainingProblem) -> tuple[float, float]:
    """Rank of a difficulty, then the share of answers that were wrong before, where it is known."""
    wrong = 0.5 if problem.solve_rate is None else 1 - problem.solve_rate
    return _RANKS.get(problem.difficulty.lower(), _NO_RANK), wrong
