"""Two runs held against each other, problem by problem: A is the one before, B the one after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluator.errors import NotComparable
from evaluator.journal import Record
from evaluator.paired import PairedComparison, compare_paired, holm
from evaluator.results import Results
from evaluator.suite_results import ProblemResult, SuiteResults


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A problem that only one of the two solves, by a majority of its samples.

    a, b: a right try of the one that solves it, a wrong one of the other.
    """

    problem: str
    share_a: float
    share_b: float
    a: Record
    b: Record

    @property
    def is_gain(self) -> bool:
        """Whether B solves it."""
        return self.share_b > self.share_a


@dataclass(frozen=True, kw_only=True)
class SuiteComparison:
    """One suite of both runs, on the problems that both scored.

    p_value: mid-p of McNemar with one sample a side, else the bootstrap's. p_adjusted: after Holm over
    the suites compared. differences: of the recipes, empty where they are equal. num_left_out: problems
    that only one run scored.
    """

    name: str
    paired: PairedComparison
    flips: tuple[Flip, ...]
    p_value: float
    p_adjusted: float
    differences: Mapping[str, tuple[Any, Any]]
    num_left_out: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Both runs and every suite that they share."""

    a: Results
    b: Results
    suites: tuple[SuiteComparison, ...]


def compare_results(a: Results, b: Results, *, anyway: bool = False) -> Comparison:
    """Compare every suite that both runs have.

    anyway: also where the recipes differ. Raises NotComparable, naming what differs.
    """
    shared = [name for name in a.suites if name in b.suites]
    if a.rules != b.rules:
        raise NotComparable(
            f"{a.folder} is read under {a.rules} rules and {b.folder} under {b.rules} ones: read both"
            " under the same"
        )
    if not shared:
        raise NotComparable(
            f"{a.folder} has {_names(a)} and {b.folder} has {_names(b)}: two runs are compared on"
            " suites that both have"
        )
    pairs = {name: _paired(a.suites[name], b.suites[name], anyway=anyway) for name in shared}
    p_values = {
        name: _p_value(pair[0], a.suites[name], b.suites[name]) for name, pair in pairs.items()
    }
    adjusted = holm(p_values)
    return Comparison(
        a=a,
        b=b,
        suites=tuple(
            SuiteComparison(
                name=name,
                paired=paired,
                flips=flips,
                p_value=p_values[name],
                p_adjusted=adjusted[name],
                differences=recipe_differences(a.suites[name], b.suites[name]),
                num_left_out=left_out,
            )
            for name, (paired, flips, left_out) in pairs.items()
        ),
    )


def recipe_differences(a: SuiteResults, b: SuiteResults) -> dict[str, tuple[Any, Any]]:
    """What differs between two recipes, by part; empty only where both are known and equal."""
    if a.recipe and a.recipe == b.recipe:
        return {}
    parts_a, parts_b = a.recipe_parts, b.recipe_parts
    found = {
        name: (parts_a.get(name), parts_b.get(name))
        for name in dict.fromkeys([*parts_a, *parts_b])
        if parts_a.get(name) != parts_b.get(name)
    }
    return found or {"recipe": (a.recipe or None, b.recipe or None)}


def refuse_other_recipe(a: SuiteResults, b: SuiteResults) -> None:
    """Raise NotComparable, naming what differs, unless two recipes are known and equal."""
    found = recipe_differences(a, b)
    if found:
        told = "; ".join(f"{name}: {_brief(x)} and {_brief(y)}" for name, (x, y) in found.items())
        raise NotComparable(
            f"the runs asked {a.name} by different recipes ({told}): run both by one recipe, or pass"
            " --anyway and read the difference as one of recipes too"
        )


def shared_problems(
    a: SuiteResults, b: SuiteResults
) -> tuple[list[tuple[ProblemResult, ProblemResult]], int]:
    """The problems that both scored, in A's order, and how many only one of them did."""
    scored_a = {p.id: p for p in a.problems if p.count()[1]}
    scored_b = {p.id: p for p in b.problems if p.count()[1]}
    both = [(p, scored_b[name]) for name, p in scored_a.items() if name in scored_b]
    return both, len(scored_a) + len(scored_b) - 2 * len(both)


def _paired(
    a: SuiteResults, b: SuiteResults, *, anyway: bool
) -> tuple[PairedComparison, tuple[Flip, ...], int]:
    if not anyway:
        refuse_other_recipe(a, b)
    both, left_out = shared_problems(a, b)
    if not both:
        raise NotComparable(
            f"the runs have no scored problem of {a.name} in common: grade both, or draw the same"
            " problems"
        )
    paired = compare_paired([p.share for p, _ in both], [q.share for _, q in both])
    flips = [_flip(p, q) for p, q in both if (p.share > 0.5) != (q.share > 0.5)]
    return paired, tuple(sorted(flips, key=lambda flip: flip.is_gain)), left_out


def _p_value(paired: PairedComparison, a: SuiteResults, b: SuiteResults) -> float:
    most = max(n for suite in (a, b) for _, n in suite.counts())
    return paired.p_mid if most == 1 else paired.p_bootstrap


def _flip(p: ProblemResult, q: ProblemResult) -> Flip:
    is_gain = q.share > p.share
    return Flip(
        problem=p.id,
        share_a=p.share,
        share_b=q.share,
        a=_example(p, right=not is_gain),
        b=_example(q, right=is_gain),
    )


def _example(problem: ProblemResult, *, right: bool) -> Record:
    """The first try that is right, or wrong; a flip has one of each kind."""
    return next(
        r
        for r in problem.tries()
        if r.judgement and r.judgement.is_scored and r.judgement.is_right is right
    )


def _names(results: Results) -> str:
    return ", ".join(results.suites) or "no suite"


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
