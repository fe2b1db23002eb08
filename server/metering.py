"""Usage: one row for every request that was admitted, however it ended.

Rows are gathered in memory and written in batches from a thread, so that no answer waits for
the database. A gateway killed with SIGKILL loses at most FLUSH_SECONDS of them.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from server.engine import TokenCount
from server.errors import StoreError
from server.store import API_KEYS, USAGE, Store, utc_now

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
MOST_UNWRITTEN = 100_000
"""Rows kept while the database refuses writes; past it the oldest are given up, and said so."""


class Outcome(StrEnum):
    """How a request ended; exactly one of these."""

    COMPLETED = "completed"
    ABORTED = "aborted"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one request used."""

    request_id: str
    key_id: int
    route: str
    model: str
    lane: str
    status: int
    outcome: Outcome
    tokens: TokenCount
    queue_seconds: float
    first_token_seconds: float | None
    total_seconds: float


class Meter:
    """Writes usage rows behind the requests' back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: deque[dict[str, object]] = deque()
        self._task: asyncio.Task[None] | None = None

    def record(self, usage: Usage) -> None:
        """Take a row to be written soon."""
        self._rows.append(_row(usage))
        if len(self._rows) > MOST_UNWRITTEN:
            self._rows.popleft()
            log.error("a usage row was lost: the database has refused writes for too long")

    def start(self) -> None:
        """Begin writing, in a task of the running loop."""
        self._task = asyncio.create_task(self._write_forever(), name="meter")

    async def stop(self) -> None:
        """Write what is left, then end."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def flush(self) -> None:
        """Write all rows taken so far; on a refusal they are kept for the next time."""
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        if not rows:
            return
        try:
            await asyncio.to_thread(self._store.write, sa.insert(USAGE), rows)
        except StoreError as error:
            self._rows.extendleft(reversed(rows))
            log.error("usage not written yet: %s", error, extra={"rows": len(rows)})

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            # Shielded: a write that has begun must not be forgotten half-way by `stop`.
            await asyncio.shield(self.flush())


def usage_by_key(store: Store, *, since: dt.datetime) -> list[dict[str, object]]:
    """Totals a key and lane, the largest user of tokens first. since: as `utc_now`."""
    completion = sa.func.sum(USAGE.c.completion_tokens)
    not_whole = sa.func.sum(sa.case((USAGE.c.outcome == Outcome.COMPLETED.value, 0), else_=1))
    columns = (
        API_KEYS.c.prefix,
        API_KEYS.c.name,
        USAGE.c.lane,
        sa.func.count().label("requests"),
        sa.func.sum(USAGE.c.prompt_tokens).label("prompt_tokens"),
        sa.func.sum(USAGE.c.cached_tokens).label("cached_tokens"),
        completion.label("completion_tokens"),
        not_whole.label("not_whole"),
    )
    query = (
        sa.select(*columns)
        .join_from(USAGE, API_KEYS)
        .where(USAGE.c.at >= since)
        .group_by(API_KEYS.c.id, USAGE.c.lane)
        .order_by(completion.desc())
    )
    return [dict(row._mapping) for row in store.rows(query)]


def _row(usage: Usage) -> dict[str, object]:
    return {
        "at": utc_now(),
        "request_id": usage.request_id,
        "key_id": usage.key_id,
        "route": usage.route,
        "model": usage.model,
        "lane": usage.lane,
        "status": usage.status,
        "outcome": usage.outcome.value,
        "prompt_tokens": usage.tokens.prompt,
        "completion_tokens": usage.tokens.completion,
        "cached_tokens": usage.tokens.cached,
        "reasoning_tokens": usage.tokens.reasoning,
        "queue_seconds": usage.queue_seconds,
        "first_token_seconds": usage.first_token_seconds,
        "total_seconds": usage.total_seconds,
    }
