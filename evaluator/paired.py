"""Two runs on the same problems: is B better, by how much, and how sure is that?

Everything here works on per-problem scores of A and B, in the same order of the same problems. What
the two have in common cancels, so a difference shows with a fraction of the problems that comparing
two intervals would take.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from evaluator.interval import CONFIDENCE, Interval

NUM_RESAMPLES = 10_000
SEED = 20_250_201
_CHUNK = 250
"""Resamples at a time: 250 x 5815 problems stay under 12 MiB."""

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """B against A.

    difference: mean of B - A. standard_error, t_interval: over problems. bootstrap: percentile
    interval. probability_b_better: share of resamples where B is ahead, ties counted half.
    p_bootstrap: two-sided. only_a, only_b: problems that only one of them solves, by a majority of its
    samples. p_exact, p_mid: McNemar on those two counts.
    """

    num_problems: int
    score_a: float
    score_b: float
    difference: float
    standard_error: float
    t_interval: Interval
    bootstrap: Interval
    probability_b_better: float
    p_bootstrap: float
    only_a: int
    only_b: int
    p_exact: float
    p_mid: float


def compare_paired(
    scores_a: Sequence[float],
    scores_b: Sequence[float],
    *,
    confidence: float = CONFIDENCE,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = SEED,
) -> PairedComparison:
    """Compare per-problem scores in [0, 1], equally long and at least one."""
    a, b = np.asarray(scores_a, dtype=np.float64), np.asarray(scores_b, dtype=np.float64)
    differences = b - a
    count, mean = len(differences), float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    half = float(special.stdtrit(count - 1, 0.5 + confidence / 2)) * error if count > 1 else 1.0
    means = bootstrap_means(differences, num_resamples=num_resamples, seed=seed)
    below, above = float((means < 0).mean()), float((means > 0).mean())
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    only_a = int(((a > 0.5) & (b <= 0.5)).sum())
    only_b = int(((b > 0.5) & (a <= 0.5)).sum())
    exact, mid = mcnemar(only_a, only_b)
    return PairedComparison(
        num_problems=count,
        score_a=float(a.mean()),
        score_b=float(b.mean()),
        difference=mean,
        standard_error=error,
        t_interval=Interval(low=mean - half, high=mean + half, confidence=confidence),
        bootstrap=Interval(low=float(low), high=float(high), confidence=confidence),
        probability_b_better=above + (1 - above - below) / 2,
        p_bootstrap=min(1.0, 2 * min(1 - above, 1 - below)),
        only_a=only_a,
        only_b=only_b,
        p_exact=exact,
        p_mid=mid,
    )


def bootstrap_means(differences: Vector, *, num_resamples: int, seed: int) -> Vector:
    """The mean difference of each resample of the problems, all samples of a problem together."""
    generator = np.random.default_rng(seed)
    count = len(differences)
    means = np.empty(num_resamples)
    for start in range(0, num_resamples, _CHUNK):
        size = min(_CHUNK, num_resamples - start)
        drawn = generator.integers(0, count, size=(size, count))
        means[start : start + size] = differences[drawn].mean(axis=1)
    # Sums of the same numbers in another order differ in the last digit: a tie must stay one.
    return np.round(means, 12)


def mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    """Two-sided p of McNemar's test on the discordant counts: exact, and mid-p.

    exact = min(1, 2 · P(X <= min)), X binomial(only_a + only_b, 1/2); mid-p leaves out half of the
    observed outcome's chance on both sides. Exact is conservative; mid-p comes closer to the level.
    """
    count, least = only_a + only_b, min(only_a, only_b)
    if count == 0:
        return 1.0, 1.0
    exact = min(1.0, 2 * float(special.bdtr(least, count, 0.5)))
    mid = exact - math.comb(count, least) / 2**count
    return exact, mid if only_a != only_b else 1.0


def lower_bound(differences: Sequence[float], *, confidence: float) -> float:
    """One-sided lower bound of the mean difference, made to hold also for few discordant problems.

    Tango's score bound (Statistics in Medicine 17, 891, 1998) on differences measured in their typical
    size, Σd²/Σ|d|, which is 1 with one sample a problem. A plain t bound would say "no loss at all,
    for sure" of a run without discordant problems. Never above the mean less 1 - (1-c)^(1/N), the
    share of losses that N problems may hide. Source of the idea: the rule of three.
    """
    d = np.asarray(differences, dtype=np.float64)
    count = len(d)
    wins, losses = float(d[d > 0].sum()), float(-d[d < 0].sum())
    total = wins + losses
    size = float((d * d).sum()) / total if total else 1.0
    bound = size * _tango_lower(wins / size, losses / size, count, confidence)
    hidden = 1 - (1 - confidence) ** (1 / count)
    return float(max(-1.0, min(bound, float(d.mean()) - hidden)))


def upper_bound(differences: Sequence[float], *, confidence: float) -> float:
    """One-sided upper bound: the lower bound of A against B, turned round."""
    return -lower_bound([-d for d in differences], confidence=confidence)


def _tango_lower(wins: float, losses: float, count: int, confidence: float) -> float:
    """The least difference that the score test of one side does not reject, by bisection."""
    z = float(special.ndtri(confidence))
    mean = (wins - losses) / count

    def is_rejected(delta: float) -> bool:
        # q: the share of losses, estimated under a true difference of delta.
        b = -wins - losses + (2 * count - wins + losses) * delta
        c = -losses * delta * (1 - delta)
        q = (math.sqrt(max(0.0, b * b - 8 * count * c)) - b) / (4 * count)
        variance = count * (2 * q + delta * (1 - delta))
        return bool(wins - losses - count * delta > z * math.sqrt(max(variance, 0.0)))

    low, high = -1.0, mean
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_rejected(middle) else (low, middle)
    return low


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted by Holm for being looked at together, by the same names.

    The i-th smallest of m is multiplied by m - i + 1; none may be below the one before it, or above 1.
    """
    adjusted: dict[str, float] = {}
    highest = 0.0
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    for place, (name, p) in enumerate(ordered):
        highest = max(highest, min(1.0, p * (len(ordered) - place)))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}
