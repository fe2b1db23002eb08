"""Before against after on the same held-out problems: what was learned, and how sure that is.

Problems of one kind move together, so a kind is one draw: intervals are over kinds, not over problems.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from evaluator.interval import CONFIDENCE, Interval, grouped_error, score_interval
from evaluator.paired import NUM_RESAMPLES, SEED
from trainer.curves import Row
from trainer.errors import EvaluationsDiffer

_CHUNK = 500
_POWER = 0.8


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A family of kinds: what comes before the first "/" of their names."""

    name: str
    num_problems: int
    num_kinds: int
    before: float
    after: float
    interval: Interval

    @property
    def difference(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, kw_only=True)
class Gain:
    """after - before, mean over the problems that both have a verdict for.

    t_interval: Student's t over kinds. bootstrap: percentile, kinds drawn with all their problems.
    num_better, num_worse: problems solved more, or less, often. num_left_out: problems of only one of
    the two. least_difference: what this many kinds show with 80% chance, seen afterwards.
    families: by size; empty where no kind has a family.
    """

    num_problems: int
    num_kinds: int
    num_left_out: int
    before: float
    after: float
    standard_error: float
    t_interval: Interval
    bootstrap: Interval
    num_better: int
    num_worse: int
    least_difference: float
    families: tuple[Slice, ...]

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def interval(self) -> Interval:
        """The wider of both on either side: with few kinds the bootstrap's is too narrow."""
        return Interval(
            low=min(self.t_interval.low, self.bootstrap.low),
            high=max(self.t_interval.high, self.bootstrap.high),
            confidence=self.t_interval.confidence,
        )


def gain(before: Row, after: Row, *, confidence: float = CONFIDENCE) -> Gain:
    """Compare two `evaluation` rows of event_log.

    Raises EvaluationsDiffer without a common problem, or where answers were drawn at different
    temperatures: then more than the weights differs.
    """
    _refuse_other_drawing(before, after)
    counts = _counts(before), _counts(after)
    problems = sorted(counts[0].keys() & counts[1].keys())
    if not problems:
        raise EvaluationsDiffer(
            f"evaluations after iterations {before.get('iteration')} and {after.get('iteration')} have"
            f" {len(counts[0])} and {len(counts[1])} problems with a verdict and none in common: only"
            " runs with the same held-out problems can be compared; name two such runs"
        )
    kinds = _kinds(problems, before, after)
    old = [counts[0][problem] for problem in problems]
    new = [counts[1][problem] for problem in problems]
    differences = [b - a for a, b in zip(old, new, strict=True)]
    error, t_interval = _over_kinds(differences, kinds, confidence)
    num_kinds = len(set(kinds))
    return Gain(
        num_problems=len(problems),
        num_kinds=num_kinds,
        num_left_out=len(counts[0].keys() ^ counts[1].keys()),
        before=math.fsum(old) / len(old),
        after=math.fsum(new) / len(new),
        standard_error=error,
        t_interval=t_interval,
        bootstrap=_bootstrap(differences, kinds, confidence),
        num_better=sum(one > 0 for one in differences),
        num_worse=sum(one < 0 for one in differences),
        least_difference=_least_difference(error, num_kinds, confidence),
        families=_families(kinds, old, new, confidence),
    )


def solve_interval(row: Row, *, confidence: float = CONFIDENCE) -> tuple[float, Interval]:
    """An evaluation's solve rate, mean over problems, and its interval over kinds; (nan, 0 … 1) for none.

    Wilson's where each kind has one problem and each problem is right or wrong; else Student's t.
    """
    counts = _counts(row)
    if not counts:
        return math.nan, Interval(low=0.0, high=1.0, confidence=confidence)
    problems = sorted(counts)
    rates, kinds = [counts[problem] for problem in problems], _kinds(problems, row)
    mean = math.fsum(rates) / len(rates)
    if len(set(kinds)) == len(kinds):
        return mean, score_interval(rates, confidence=confidence)
    _, found = _over_kinds(rates, kinds, confidence)
    return mean, Interval(low=max(0.0, found.low), high=min(1.0, found.high), confidence=confidence)


def _refuse_other_drawing(before: Row, after: Row) -> None:
    if before.get("temperature") != after.get("temperature"):
        raise EvaluationsDiffer(
            f"evaluations were drawn at temperatures {before.get('temperature')} and"
            f" {after.get('temperature')}: only the weights may differ between the two; evaluate both"
            " at one temperature"
        )


def _counts(row: Row) -> dict[str, float]:
    """Share of right answers by problem; problems without a verdict are in no mean."""
    found: Mapping[str, Sequence[int]] = row.get("by_problem") or {}
    return {name: right / counted for name, (right, counted) in found.items() if counted}


def _kinds(problems: Iterable[str], *rows: Row) -> list[str]:
    """A problem of no kind is one of its own."""
    known: dict[str, str] = {}
    for row in rows:
        known |= row.get("kinds") or {}
    return [known.get(problem) or problem for problem in problems]


def _half_width(error: float, num_kinds: int, confidence: float) -> float:
    """Never less than 1 - (1-c)^(1/C), the share of other kinds that C equal ones may hide (the rule of
    three): without it, kinds that all agree would leave no doubt at all.
    """
    if num_kinds < 2:
        return 2.0
    hidden: float = 1 - (1 - confidence) ** (1 / num_kinds)
    t = float(special.stdtrit(num_kinds - 1, 0.5 + confidence / 2))
    return max(hidden, error * t)


def _least_difference(error: float, num_kinds: int, confidence: float) -> float:
    half = _half_width(error, num_kinds, confidence)
    z = float(special.ndtri(_POWER))
    return min(1.0, half + error * z) if num_kinds > 1 else 1.0


def _over_kinds(
    values: Sequence[float], kinds: Sequence[str], confidence: float
) -> tuple[float, Interval]:
    """The mean's standard error and its interval, cut to [-1, 1]; all of that for a single kind."""
    mean, num_kinds = math.fsum(values) / len(values), len(set(kinds))
    error = grouped_error(values, kinds)
    half = _half_width(error, num_kinds, confidence)
    return error, Interval(
        low=max(-1.0, mean - half), high=min(1.0, mean + half), confidence=confidence
    )


def _bootstrap(differences: Sequence[float], kinds: Sequence[str], confidence: float) -> Interval:
    sums: dict[str, float] = defaultdict(float)
    sizes: dict[str, int] = defaultdict(int)
    for value, kind in zip(differences, kinds, strict=True):
        sums[kind] += value
        sizes[kind] += 1
    totals_C = np.array(list(sums.values()))
    sizes_C = np.array(list(sizes.values()), dtype=np.float64)
    generator, means = np.random.default_rng(SEED), []
    for _ in range(0, NUM_RESAMPLES, _CHUNK):
        drawn = generator.integers(0, len(totals_C), size=(_CHUNK, len(totals_C)))
        means.append(totals_C[drawn].sum(axis=1) / sizes_C[drawn].sum(axis=1))
    found: npt.NDArray[np.float64] = np.concatenate(means)
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail]).tolist()
    return Interval(low=low, high=high, confidence=confidence)


def _families(
    kinds: Sequence[str], old: Sequence[float], new: Sequence[float], confidence: float
) -> tuple[Slice, ...]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, kind in enumerate(kinds):
        places[kind.partition("/")[0]].append(place)
    if len(places) == len(set(kinds)):
        return ()
    found = []
    for name, some in places.items():
        differences = [new[place] - old[place] for place in some]
        own_kinds = [kinds[place] for place in some]
        found.append(
            Slice(
                name=name,
                num_problems=len(some),
                num_kinds=len(set(own_kinds)),
                before=math.fsum(old[place] for place in some) / len(some),
                after=math.fsum(new[place] for place in some) / len(some),
                interval=_over_kinds(differences, own_kinds, confidence)[1],
            )
        )
    return tuple(sorted(found, key=lambda one: -one.num_problems))
