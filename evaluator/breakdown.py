"""A suite's score by what its problems have in common: language, difficulty, group, month; and by date.

The view by date asks for contamination: problems published after a model's training data ended cannot
have been in it. Before and after are different problems, so their difference is unpaired, and their
mix of difficulties may differ: the stratified difference compares within each difficulty.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scipy import special

from evaluator.asked import Asked
from evaluator.interval import CONFIDENCE, Interval, clustered_error, score_interval
from evaluator.suite_results import ProblemResult, SuiteResults


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Some problems of a suite. value: pass@1."""

    name: str
    num_problems: int
    value: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class DateSplit:
    """Problems before a day and from it on.

    difference: after - before; stratified: the same within each difficulty, weighted by the number
    of problems after the cut that have a counterpart before it; both with their interval.
    """

    cutoff: dt.date
    before: Slice
    after: Slice
    difference: float
    interval: Interval
    stratified: float
    stratified_interval: Interval


BY: dict[str, Callable[[Asked], str]] = {
    "language": lambda asked: asked.language,
    "difficulty": lambda asked: asked.difficulty,
    "group": lambda asked: asked.group,
    "month": lambda asked: asked.date[:7],
}


_EASIEST_FIRST = {"easy": 1, "medium": 2, "hard": 3}


def breakdown(suite: SuiteResults, by: str) -> tuple[Slice, ...]:
    """pass@1 by a key of BY, in the key's order; empty where fewer than two values occur."""
    sorted_out: dict[str, list[ProblemResult]] = {}
    for problem in suite.problems:
        key = BY[by](problem.asked) if problem.asked else ""
        if key and problem.count()[1]:
            sorted_out.setdefault(key, []).append(problem)
    if len(sorted_out) < 2:
        return ()
    names = sorted(sorted_out, key=lambda name: (_EASIEST_FIRST.get(name.lower(), 0), name))
    return tuple(_slice(name, sorted_out[name]) for name in names)


def split_by_date(suite: SuiteResults, cutoff: dt.date) -> DateSplit | None:
    """Before and from the cut-off; None unless both sides have a dated and scored problem."""
    dated = [p for p in suite.problems if p.asked and p.asked.date and p.count()[1]]
    before = [p for p in dated if p.asked and p.asked.date < cutoff.isoformat()]
    after = [p for p in dated if p.asked and p.asked.date >= cutoff.isoformat()]
    if not before or not after:
        return None
    plain = _difference([(before, after)])
    strata = []
    for difficulty in sorted({p.asked.difficulty for p in dated if p.asked}):
        pair = _of(before, difficulty), _of(after, difficulty)
        if all(pair):
            strata.append(pair)
    stratified = _difference(strata) if strata else (math.nan, Interval(low=-1, high=1))
    return DateSplit(
        cutoff=cutoff,
        before=_slice(f"before {cutoff}", before),
        after=_slice(f"from {cutoff}", after),
        difference=plain[0],
        interval=plain[1],
        stratified=stratified[0],
        stratified_interval=stratified[1],
    )


def _of(problems: Iterable[ProblemResult], difficulty: str) -> list[ProblemResult]:
    return [p for p in problems if p.asked and p.asked.difficulty == difficulty]


def _slice(name: str, problems: list[ProblemResult]) -> Slice:
    shares = [p.share for p in problems]
    return Slice(
        name=name,
        num_problems=len(shares),
        value=math.fsum(shares) / len(shares),
        interval=score_interval(shares),
    )


def _difference(
    strata: list[tuple[list[ProblemResult], list[ProblemResult]]],
) -> tuple[float, Interval]:
    """After - before, weighted by the problems after; its interval by the normal law."""
    total = sum(len(after) for _, after in strata)
    mean = variance = 0.0
    for before, after in strata:
        weight = len(after) / total
        shares = [p.share for p in before], [p.share for p in after]
        mean += weight * (math.fsum(shares[1]) / len(after) - math.fsum(shares[0]) / len(before))
        errors = [clustered_error(side) for side in shares]
        # One problem alone tells nothing of its spread: take the largest that a share can have.
        variance += sum((weight * (0.5 if math.isnan(e) else e)) ** 2 for e in errors)
    half = float(special.ndtri(0.5 + CONFIDENCE / 2)) * math.sqrt(variance)
    return mean, Interval(low=max(-1.0, mean - half), high=min(1.0, mean + half))
