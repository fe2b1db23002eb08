"""How likely k draws of a problem's n samples hold a right one, only right ones, or a right majority."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from evaluator.errors import UsageRefused

_MOST_SUBSETS = 2_000
"""Up to so many subsets are all looked at; past it, so many are drawn with a fixed seed."""


def pass_at_k(n: int, c: int, k: int) -> float:
    """Chance that k of n samples, drawn without putting back, hold one of the c right ones.

    1 - C(n-c, k)/C(n, k), unbiased, as the sum of at most min(c, k) logarithms: exact to rounding
    for any n. Raises UsageRefused when k > n: nothing unbiased can be said then.
    Source: arXiv:2107.03374, section 2.1.
    """
    _refuse(n, c, k)
    if n - c < k:
        return 1.0
    # C(n-c, k)/C(n, k) = prod over k factors = prod over c factors: the shorter one is taken.
    few, many = min(c, k), max(c, k)
    return -math.expm1(math.fsum(math.log1p(-many / (n - j)) for j in range(few)))


def pass_hat_k(n: int, c: int, k: int) -> float:
    """Chance that all k of n samples are right: C(c, k)/C(n, k). Raises as `pass_at_k`."""
    _refuse(n, c, k)
    if c < k:
        return 0.0
    return math.exp(math.fsum(math.log1p((c - n) / (n - j)) for j in range(k)))


def majority_at_k(answers: Sequence[str], is_right: Sequence[bool], k: int) -> float:
    """Chance that the most frequent answer among k of the samples is right.

    answers: what each sample came to, "" where it gave none; those do not vote, and k samples
    without a vote are wrong. A tie is decided by lot. Exact up to 2000 subsets, else 2000 draws with
    a fixed seed. Raises as `pass_at_k`.
    """
    _refuse(len(answers), 0, k)
    votes = [_vote(answers, is_right, subset) for subset in _subsets(len(answers), k)]
    return math.fsum(votes) / len(votes)


def _vote(answers: Sequence[str], is_right: Sequence[bool], subset: Sequence[int]) -> float:
    counts = Counter(answers[i] for i in subset if answers[i])
    if not counts:
        return 0.0
    most = max(counts.values())
    right = {answers[i] for i in subset if is_right[i]}
    winners = [answer for answer, count in counts.items() if count == most]
    return sum(answer in right for answer in winners) / len(winners)


def _subsets(n: int, k: int) -> Iterator[Sequence[int]]:
    if math.comb(n, k) <= _MOST_SUBSETS:
        yield from itertools.combinations(range(n), k)
        return
    draw = random.Random(n * 1_000_003 + k)
    for _ in range(_MOST_SUBSETS):
        yield draw.sample(range(n), k)


def _refuse(n: int, c: int, k: int) -> None:
    if k > n:
        raise UsageRefused(
            f"pass@{k} of {n} samples a problem is not defined: draw at least {k}, or ask for a"
            f" k of at most {n}"
        )
    if k < 1 or not 0 <= c <= n:
        raise UsageRefused(f"{c} right of {n} samples at k={k} cannot be: 0 <= right <= n, k >= 1")
