"""The short functions that are trained on."""

from collections.abc import Iterator, Sequence

from trainer.dataset.candidate import Candidate
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.short_functions import short_functions, split
from trainer.dataset.sources import Place


def load(_place: Place) -> Iterator[Candidate]:
    """Every problem of the kinds to train on."""
    return candidates(split(short_functions())[0])


def candidates(problems: Sequence[TrainingProblem]) -> Iterator[Candidate]:
    """The problems with their references as solutions; all their tests reward."""
    for problem in problems:
        assert problem.problem.reference is not None
        yield Candidate(
            problem=problem,
            solutions=(problem.problem.reference,),
            uses_all_tests=True,
            is_composed=True,
        )
