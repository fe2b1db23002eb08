"""A canary: which requests it answers, how they end beside those of the live version, and the rule.

The rule: the canary regresses when, in any of failures, truncations and repetitions, its share of
answers is above live's by more than `MARGINS` allows, beyond what chance explains; or when its median
time to the first token, or a token after that, is above `SLOWER` times live's plus `SLACK_SECONDS`.
Chance is Newcombe's interval of a difference of two shares, from Wilson's of each (Newcombe 1998,
method 10), and, as that is too narrow for a few events, also the exact chance of so many events where the
share is live's plus the margin: one in two thousand while requests come in, because looking often finds
more, one in twenty in the end.
"""

import hashlib
import math
import statistics
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Arm = Literal["live", "canary"]
Answer = Literal["open", "holds", "regresses"]

MARGINS: Mapping[str, float] = {"failed": 0.01, "truncated": 0.05, "repeated": 0.05}
"""Share of answers by which a canary may be above live."""

SLOWER = 1.5
SLACK_SECONDS = 0.05
EARLY_Z, EARLY_CHANCE = 3.29, 0.0005
FINAL_Z, FINAL_CHANCE = 1.645, 0.05
LEAST_EARLY = 5
"""Canary answers before anything is decided."""
LEAST_TIMES = 20
"""Answers of each arm before times are compared."""
KEPT_TIMES = 2000
GUARD_MARGINS: Mapping[str, float] = {"failed": MARGINS["failed"]}
"""For a version that has just gone live: nothing answers beside it that it could be compared with."""

LEAST_REPEATED_LETTERS = 400
REPEATED_RATIO = 0.1
"""Code packs to a quarter or a third of its size, the same lines again and again to a twentieth."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which requests go to the canary.

    share: of requests, by a hash of each one's id, in [0, 1]. key_prefixes: keys all of whose requests go.
    """

    share: float
    key_prefixes: frozenset[str] = frozenset()

    def takes(self, request_id: str, key_prefix: str) -> bool:
        """The same for the same request, whenever it is asked."""
        if key_prefix in self.key_prefixes:
            return True
        number = int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=8).digest())
        return number < self.share * 2**64


@dataclass(frozen=True, kw_only=True)
class Observation:
    """How one answer ended. Times are None where there is none to tell."""

    is_failed: bool
    is_truncated: bool
    is_repeated: bool
    first_seconds: float | None
    token_seconds: float | None


@dataclass(kw_only=True)
class ArmFigures:
    """What was seen of one arm."""

    num: int = 0
    failed: int = 0
    truncated: int = 0
    repeated: int = 0
    first_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TIMES))
    token_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TIMES))

    def add(self, seen: Observation) -> None:
        """Count one answer."""
        self.num += 1
        self.failed += seen.is_failed
        self.truncated += seen.is_truncated
        self.repeated += seen.is_repeated
        if seen.first_seconds is not None:
            self.first_seconds.append(seen.first_seconds)
        if seen.token_seconds is not None:
            self.token_seconds.append(seen.token_seconds)

    def as_data(self) -> dict[str, Any]:
        """Plain data; medians of the times."""
        return {
            "requests": self.num,
            "failed": self.failed,
            "truncated": self.truncated,
            "repeated": self.repeated,
            "first_token_seconds": _median(self.first_seconds),
            "token_seconds": _median(self.token_seconds),
        }


class CanaryWatch:
    """Compares two arms as answers end. on_decision: called once, with the answer that is not `open`.

    least_requests: of the canary, after which it is decided. margins: what is compared. A watch without
    any answer of live guards a version that is live itself: its shares are held to the margins alone.
    """

    def __init__(
        self,
        least_requests: int,
        on_decision: Callable[["CanaryWatch"], None],
        *,
        margins: Mapping[str, float] = MARGINS,
    ) -> None:
        self.arms: dict[Arm, ArmFigures] = {"live": ArmFigures(), "canary": ArmFigures()}
        self.least_requests = least_requests
        self.answer: Answer = "open"
        self.reasons: tuple[str, ...] = ()
        self._on_decision = on_decision
        self._margins = margins

    def observe(self, arm: Arm, seen: Observation) -> None:
        """Count an answer, and decide when it is time."""
        self.arms[arm].add(seen)
        if self.answer != "open":
            return
        canary = self.arms["canary"]
        is_final = canary.num >= self.least_requests
        if canary.num < min(LEAST_EARLY, self.least_requests):
            return
        z, chance = (FINAL_Z, FINAL_CHANCE) if is_final else (EARLY_Z, EARLY_CHANCE)
        self.reasons = tuple(self._regressions(z, chance))
        if self.reasons:
            self.answer = "regresses"
        elif is_final:
            self.answer = "holds"
        if self.answer != "open":
            self._on_decision(self)

    def as_data(self) -> dict[str, Any]:
        """Plain data, for the evidence of a transition."""
        return {
            "answer": self.answer,
            "reasons": list(self.reasons),
            "least_requests": self.least_requests,
            "margins": dict(self._margins),
            "slower": SLOWER,
            **{arm: figures.as_data() for arm, figures in self.arms.items()},
        }

    def _regressions(self, z: float, chance: float) -> list[str]:
        live, canary = self.arms["live"], self.arms["canary"]
        found = []
        for what, margin in self._margins.items():
            new, old = getattr(canary, what), getattr(live, what)
            share = margin + (old / live.num if live.num else 0.0)
            is_above = difference_low(new, canary.num, old, live.num, z=z) > margin
            if is_above and binomial_tail(new, canary.num, share) < chance:
                found.append(
                    f"{new} of {canary.num} answers of the canary are {what}, of live {old} of"
                    f" {live.num}: more than {margin:.0%} above"
                )
        for what in ("first_seconds", "token_seconds"):
            news, olds = getattr(canary, what), getattr(live, what)
            if min(len(news), len(olds)) >= LEAST_TIMES:
                limit = SLOWER * statistics.median(olds) + SLACK_SECONDS
                if (seconds := statistics.median(news)) > limit:
                    found.append(
                        f"median {what} of the canary is {seconds:.3f}: the limit is {limit:.3f},"
                        f" {SLOWER} times live's and {SLACK_SECONDS} s"
                    )
        return found


def difference_low(new: int, num_new: int, old: int, num_old: int, *, z: float) -> float:
    """Lower bound of share `new` minus share `old`; without live answers live's share is 0."""
    if not num_new:
        return -1.0
    share_new = new / num_new
    low_new, _ = wilson(new, num_new, z=z)
    if not num_old:
        return low_new
    share_old = old / num_old
    _, high_old = wilson(old, num_old, z=z)
    return share_new - share_old - math.hypot(share_new - low_new, high_old - share_old)


def binomial_tail(count: int, num: int, share: float) -> float:
    """Chance of `count` or more events among `num`, each with that share."""
    if count <= 0 or share >= 1:
        return 1.0
    odds = share / (1 - share)
    term = math.exp(num * math.log1p(-share))
    below = 0.0
    for number in range(count):
        below += term
        term *= odds * (num - number) / (number + 1)
    return max(0.0, 1.0 - below)


def wilson(count: int, num: int, *, z: float) -> tuple[float, float]:
    """Wilson's interval of a share. Source: Wilson 1927, doi:10.1080/01621459.1927.10502953."""
    share, square = count / num, z * z
    middle = (share + square / (2 * num)) / (1 + square / num)
    half = z / (1 + square / num) * math.sqrt(share * (1 - share) / num + square / (4 * num * num))
    return max(0.0, middle - half), min(1.0, middle + half)


def is_repetitive(text: str) -> bool:
    """Whether a text says the same again and again: its end packs too well."""
    end = text[-4 * LEAST_REPEATED_LETTERS :].encode()
    if len(text) < LEAST_REPEATED_LETTERS:
        return False
    return len(zlib.compress(end, 6)) < REPEATED_RATIO * len(end)


def _median(values: deque[float]) -> float | None:
    return round(statistics.median(values), 6) if values else None
