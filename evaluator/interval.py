"""How far a score may be off: standard errors and intervals, clustered by problem.

Two questions, two errors. `clustered_error`: the suite's problems are a draw from many like them.
`fixed_set_error`: this set of problems is the question, and only the model's dice vary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """From low to high; the truth lies inside in `confidence` of all repetitions."""

    low: float
    high: float
    confidence: float = CONFIDENCE


def wilson(mean: float, num_problems: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's interval of a share: also right near 0 and 1, where mean ± 2 errors is not.

    mean: in [0, 1]. Source: Wilson 1927; coverage against the normal interval in the tests.
    """
    if num_problems == 0:
        return Interval(low=0.0, high=1.0, confidence=confidence)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    shrink = 1 + z * z / num_problems
    centre = (mean + z * z / (2 * num_problems)) / shrink
    half = z / shrink * math.sqrt(
        mean * (1 - mean) / num_problems + z * z / (4 * num_problems * num_problems)
    )  # fmt: skip
    # At 0 and 1 rounding may leave the score just outside of its own interval.
    return Interval(
        low=max(0.0, min(centre - half, mean)),
        high=min(1.0, max(centre + half, mean)),
        confidence=confidence,
    )


def score_interval(scores: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """The interval of the mean of per-problem scores in [0, 1].

    Wilson's where every score is 0 or 1; else Student's t over problems, cut to [0, 1].
    """
    count = len(scores)
    mean = math.fsum(scores) / count if count else 0.0
    if count < 2 or all(score in (0.0, 1.0) for score in scores):
        return wilson(mean, count, confidence=confidence)
    # scipy takes half a second to import, and most tables do without.
    from scipy import special

    half = clustered_error(scores) * float(special.stdtrit(count - 1, 0.5 + confidence / 2))
    return Interval(low=max(0.0, mean - half), high=min(1.0, mean + half), confidence=confidence)


def clustered_error(scores: Sequence[float]) -> float:
    """Standard error of the mean of per-problem scores: sqrt(sum (x - mean)² / (N (N-1))).

    nan for fewer than two problems. The samples of a problem are one cluster: counting them as
    independent understates the error (AIME with 16 samples: .020 instead of .062).
    """
    count = len(scores)
    if count < 2:
        return math.nan
    mean = math.fsum(scores) / count
    return math.sqrt(math.fsum((x - mean) ** 2 for x in scores) / (count * (count - 1)))


def grouped_error(scores: Sequence[float], groups: Sequence[str]) -> float:
    """Standard error of the mean where scores of one group move together, such as one contest's.

    sqrt(C/(C-1) · sum over groups (sum of (s - mean))²) / M, C groups, M scores; nan for one group.
    Source: arXiv:2411.00640, appendix A, with the factor for few groups. Equals
    `clustered_error` where every score is a group of its own.
    """
    mean = math.fsum(scores) / len(scores) if scores else 0.0
    sums: dict[str, float] = {}
    for score, group in zip(scores, groups, strict=True):
        sums[group] = sums.get(group, 0.0) + score - mean
    if len(sums) < 2:
        return math.nan
    factor = len(sums) / (len(sums) - 1)
    return math.sqrt(factor * math.fsum(total * total for total in sums.values())) / len(scores)


def fixed_set_error(counts: Sequence[tuple[int, int]]) -> float:
    """Standard error if the same problems were sampled again: sqrt(sum p(1-p)/(n-1)) / N.

    counts: (right, n) a problem. nan where a problem has a single sample: one draw does not tell
    how much draws differ.
    """
    if not counts or any(n < 2 for _, n in counts):
        return math.nan
    spread = math.fsum((c / n) * (1 - c / n) / (n - 1) for c, n in counts)
    return math.sqrt(spread) / len(counts)
