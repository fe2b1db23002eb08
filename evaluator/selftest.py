"""Grades a suite's own answers on this machine before any model's: references must pass, mutants not.

A reference that fails here would make every model wrong on its problem; a mutant that passes shows a
test that does not look. Mutants are the reference with one comparison, number or operator changed; some
are equal to the reference in what they do, so their share is reported and not judged. An empty answer
must never pass.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from evaluator.grading.bench import Bench
from evaluator.judge import judge_code
from evaluator.judgement import Judgement
from evaluator.parity_programs import mutant
from evaluator.problem import Problem

_MUTATIONS = (("compare", 0), ("const", 0), ("arith", 0))


class Kind(StrEnum):
    """What was graded."""

    REFERENCE = "reference"
    MUTANT = "mutant"
    EMPTY = "empty"


@dataclass(frozen=True, kw_only=True)
class Graded:
    """One answer of the suite's own, graded."""

    problem: str
    kind: Kind
    judgement: Judgement

    @property
    def is_as_it_should_be(self) -> bool:
        """A reference passes; nothing else is demanded of a mutant; an empty answer does not pass."""
        if self.kind is Kind.REFERENCE:
            return self.judgement.is_right
        return self.kind is Kind.MUTANT or not self.judgement.is_right


def own_answers(
    problems: Sequence[Problem], *, has_mutants: bool
) -> Iterator[tuple[Problem, Kind, str]]:
    """The answers to grade; a problem without a reference has the empty one only."""
    for problem in problems:
        if problem.reference is not None:
            yield problem, Kind.REFERENCE, problem.reference
            if has_mutants and problem.language == "python":
                for what, number in _MUTATIONS:
                    changed = _mutant(problem.reference, what, number)
                    if changed is not None:
                        yield problem, Kind.MUTANT, changed
        yield problem, Kind.EMPTY, "\n"


def graded(answers: Sequence[tuple[Problem, Kind, str]], bench: Bench) -> Iterator[Graded]:
    """Each answer graded, in order, as many at once as there are workers."""

    def one(answer: tuple[Problem, Kind, str]) -> Graded:
        problem, kind, code = answer
        return Graded(problem=problem.id, kind=kind, judgement=judge_code(problem, code, bench))

    with ThreadPoolExecutor(bench.sandbox.num_workers) as pool:
        yield from pool.map(one, answers)


def share_killed(found: Sequence[Graded]) -> float | None:
    """Share of mutants that did not pass; None without mutants."""
    verdicts = Counter(one.judgement.is_right for one in found if one.kind is Kind.MUTANT)
    return verdicts[False] / verdicts.total() if verdicts else None


def _mutant(source: str, what: str, number: int) -> str | None:
    try:
        return mutant(source, what, number)
    except (SyntaxError, ValueError, RecursionError):
        return None
