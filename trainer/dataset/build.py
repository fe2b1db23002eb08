"""Makes a data set of sources: read, compared with every evaluation suite, verified, filtered.

The order: enough tests → not in an evaluation suite → a known solution passes → not there twice →
solve rate. Whatever is left out has one reason, the first that applies.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from evaluator.data import DataFolder
from evaluator.grading.bench import Bench
from evaluator.problem import RepositoryTask
from trainer.dataset import sources
from trainer.dataset.candidate import Candidate, Drop, reasons
from trainer.dataset.duplicates import NEAR, NEAR_SAME_NAME, Index, evaluation_texts, text_of
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.rewarding import MOST_HOLDOUT, MOST_REWARDING
from trainer.dataset.rows import rows
from trainer.dataset.solve_rate import LEAST, MOST, by_solve_rate
from trainer.dataset.tasks import num_tests, training_task
from trainer.dataset.verify import verified
from trainer.errors import DatasetInvalid

LEAST_TESTS = 5
"""Fewer tests invite answers that are printed from memory (DeepCoder's blog)."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a build is asked for. solutions: problem → programs that are said to solve it.

    solve_rates: problem → share of right answers. limit: most problems to take from each source.
    """

    sources: Sequence[str]
    least_tests: int = LEAST_TESTS
    least_solve_rate: float = LEAST
    most_solve_rate: float = MOST
    solutions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    solve_rates: Mapping[str, float] = field(default_factory=dict)
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.least_tests < 1 or not 0 <= self.least_solve_rate <= self.most_solve_rate <= 1:
            raise DatasetInvalid(
                f"least tests {self.least_tests}, solve rates {self.least_solve_rate:g} to"
                f" {self.most_solve_rate:g}: a problem has at least 1 test, and rates lie in order"
                " between 0 and 1; correct the options"
            )


@dataclass(frozen=True, kw_only=True)
class Built:
    """problems: in the sources' order. facts: for the manifest."""

    problems: list[TrainingProblem]
    drops: list[Drop]
    facts: dict[str, Any]


Watch = Callable[[str, int, int], None]
"""Told (step, done, of how many)."""


class RateSampler(Protocol):
    """Learns how often a model solves problems."""

    def rates(
        self, problems: Sequence[TrainingProblem], bench: Bench, watch: Callable[[int], None]
    ) -> dict[str, float]:
        """Problem → share of right answers."""
        ...


def build(
    choices: Choices,
    data: DataFolder,
    bench: Bench,
    watch: Watch,
    sampler: RateSampler | None = None,
) -> Built:
    """The data set. sampler: asked for the solve rates that the choices lack.

    Raises DatasetInvalid, DataMissing, DataInvalid, RewardFailed, AccessRefused.
    """
    drops: list[Drop] = []
    found = _read(choices, data, drops, watch)
    num_read = len(found) + len(drops)
    found = _with_enough_tests(found, choices.least_tests, drops)
    evaluation, suites = evaluation_texts(data)
    watch("compare with evaluation suites", 0, len(found))
    found = _outside(found, Index(evaluation), drops)
    problems = list[TrainingProblem]()
    for number, one in enumerate(verified(found, bench), 1):
        (drops if isinstance(one, Drop) else problems).append(one)  # type: ignore[arg-type]
        watch("run known solutions", number, len(found))
    composed = {one.problem.id for one in found if one.is_composed}
    problems = _without_duplicates(problems, composed, drops)
    rates = dict(choices.solve_rates)
    if sampler is not None:
        asked = [problem for problem in problems if problem.id not in rates]
        rates |= sampler.rates(asked, bench, lambda done: watch("sample", done, len(asked)))
    problems, too = by_solve_rate(
        problems,
        rates,
        least=choices.least_solve_rate,
        most=choices.most_solve_rate,
    )
    drops += too
    facts = {
        "sources": list(choices.sources),
        "counts": {"read": num_read, "kept": len(problems), "dropped": len(drops)},
        "kept_by_source": _counted(problem.source for problem in problems),
        "kinds": len({problem.kind for problem in problems}),
        "with_holdout": sum(problem.holdout is not None for problem in problems),
        "dropped_by_reason": reasons(drops),
        "licences": _counted(problem.licence for problem in problems),
        "evaluation_suites": suites,
        "thresholds": _thresholds(choices, len(rates)),
    }
    return Built(problems=problems, drops=drops, facts=facts)


def _thresholds(choices: Choices, num_rates: int) -> dict[str, Any]:
    return {
        "least_tests": choices.least_tests,
        "most_rewarding_tests": MOST_REWARDING,
        "most_holdout_tests": MOST_HOLDOUT,
        "near_duplicate": NEAR,
        "near_duplicate_same_name": NEAR_SAME_NAME,
        "least_solve_rate": choices.least_solve_rate,
        "most_solve_rate": choices.most_solve_rate,
        "solve_rates_known": num_rates,
    }


def _read(choices: Choices, data: DataFolder, drops: list[Drop], watch: Watch) -> list[Candidate]:
    found, seen = list[Candidate](), set[str]()
    for spec in choices.sources:
        for number, one in enumerate(sources.load(spec, data)):
            if choices.limit is not None and number >= choices.limit:
                break
            if isinstance(one, Drop):
                drops.append(one)
                continue
            if one.problem.id in seen:
                raise DatasetInvalid(
                    f"{spec} gives the problem {one.problem.id!r} a second time: name each source once"
                )
            seen.add(one.problem.id)
            known = tuple(choices.solutions.get(one.problem.id, ()))
            found.append(replace(one, solutions=one.solutions + known))
            watch(f"read {spec}", len(found), 0)
    return found


def _with_enough_tests(
    found: Iterable[Candidate], least: int, drops: list[Drop]
) -> list[Candidate]:
    kept = []
    for one in found:
        task = training_task(one.problem.problem.task)
        count = one.num_tests if one.num_tests is not None else num_tests(task)
        # How many tests a project's own command runs is not ours to count.
        if count >= least or isinstance(task, RepositoryTask):
            kept.append(one)
        else:
            drops.append(_drop(one.problem, "few_tests", f"{count} tests, at least {least} wanted"))
    return kept


def _outside(found: Iterable[Candidate], evaluation: Index, drops: list[Drop]) -> list[Candidate]:
    """Those that are in no evaluation suite."""
    kept = []
    for one in found:
        match = evaluation.find(text_of(one.problem.problem, one.problem.id))
        if match is None:
            kept.append(one)
        else:
            reason = "in_evaluation" if match.is_exact else "near_evaluation"
            drops.append(_drop(one.problem, reason, f"{match.id}, index {match.index:.2f}"))
    return kept


def _without_duplicates(
    problems: Iterable[TrainingProblem], composed: set[str], drops: list[Drop]
) -> list[TrainingProblem]:
    """The first of those that are alike."""
    kept, index = [], Index()
    for problem in problems:
        text = text_of(problem.problem, problem.id)
        match = index.find(text, is_near_looked_for=problem.id not in composed)
        if match is None:
            kept.append(problem)
            index.add(text)
        else:
            reason = "duplicate" if match.is_exact else "near_duplicate"
            drops.append(_drop(problem, reason, f"{match.id}, index {match.index:.2f}"))
    return kept


def _drop(problem: TrainingProblem, reason: str, detail: str) -> Drop:
    return Drop(id=problem.id, source=problem.source, reason=reason, detail=detail)


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def read_solutions(path: Path) -> dict[str, list[str]]:
    """Problem → programs, of rows with id and code. Raises DatasetInvalid."""
    found: dict[str, list[str]] = {}
    for number, row in enumerate(rows(path), 1):
        name, code = row.get("id"), row.get("code")
        if not isinstance(name, str) or not isinstance(code, str):
            raise DatasetInvalid(
                f"{path}, row {number}: a row has an id and code, both texts; mend or remove it"
            )
        found.setdefault(name, []).append(code)
    return found
