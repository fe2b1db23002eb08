"""Asking an endpoint again: which failures, how soon, for how long.

Waits grow exponentially and are spread at random, so that many clients do not come back together
(AWS Architecture Blog, "Exponential backoff and jitter"). What Retry-After asks is always waited.
"""

import asyncio
import datetime as dt
import email.utils
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from evaluator.errors import EndpointFailed

log = logging.getLogger(__name__)

TELLS_SECONDS = 30.0
"""Least time between two lines in the log about one endpoint."""
RETRIED = frozenset({408, 409, 425, 429}) | frozenset(range(500, 600))
"""Statuses that another try may not meet again."""
NEVER_ANSWERS = frozenset({401, 403, 404, 405})
"""Statuses that every request would meet."""

Answer = TypeVar("Answer")


class AskAgain(Exception):
    """One try failed in a way that another may not. after_seconds: what Retry-After said."""

    def __init__(self, reason: str, *, after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a request is tried again. seconds: from its first failure; the waits lie between."""

    seconds: float = 300.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0


class Retrying:
    """Tries of many requests to one endpoint: when it asks for time, all of them give it."""

    def __init__(self, where: str, patience: Patience) -> None:
        """where: names the endpoint in messages."""
        self._where = where
        self._patience = patience
        self._not_before_seconds = 0.0
        self._told_seconds = float("-inf")

    async def until_answered(self, attempt: Callable[[], Awaitable[Answer]]) -> tuple[Answer, int]:
        """The answer, and how many tries failed before. Raises EndpointFailed out of patience."""
        gives_up_seconds: float | None = None
        num_failed = 0
        while True:
            await self._wait_for_others()
            try:
                return await attempt(), num_failed
            except AskAgain as failure:
                now_seconds = time.monotonic()
                if gives_up_seconds is None:
                    gives_up_seconds = now_seconds + self._patience.seconds
                wait_seconds = self._wait_seconds(num_failed, failure.after_seconds)
                num_failed += 1
                if now_seconds + wait_seconds > gives_up_seconds:
                    raise EndpointFailed(
                        f"{self._where} gave no answer in {num_failed} tries over"
                        f" {self._patience.seconds:g} s, at last: {failure}; see to the endpoint,"
                        " then run the same command with --resume"
                    ) from failure
                if failure.after_seconds is not None:
                    self._not_before_seconds = max(
                        self._not_before_seconds, now_seconds + failure.after_seconds
                    )
                self._tell(failure, now_seconds)
                await asyncio.sleep(wait_seconds)

    def _tell(self, failure: AskAgain, now_seconds: float) -> None:
        if now_seconds - self._told_seconds >= TELLS_SECONDS:
            self._told_seconds = now_seconds
            patience_seconds = f"{self._patience.seconds:g}"
            log.warning("%s: %s; asked again, for %s s", self._where, failure, patience_seconds)

    async def _wait_for_others(self) -> None:
        while (wait_seconds := self._not_before_seconds - time.monotonic()) > 0:
            await asyncio.sleep(wait_seconds * (1 + random.random() / 4))

    def _wait_seconds(self, num_failed: int, after_seconds: float | None) -> float:
        patience = self._patience
        # An exponent without a bound would overflow a float in a long outage.
        grown = patience.first_wait_seconds * 2.0 ** min(num_failed, 30)
        longest = min(patience.longest_wait_seconds, grown)
        spread = longest * (0.5 + random.random() / 2)
        return spread if after_seconds is None else max(after_seconds, 0.0) + spread / 4


def retry_after_seconds(value: str | None, *, now: dt.datetime) -> float | None:
    """What a Retry-After header asks for, given as seconds or as a date; None for no or no such value."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return seconds if 0 <= seconds < float("inf") else None
    try:
        when = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return max(0.0, (when - now).total_seconds())
