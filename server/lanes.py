"""Admission: which request goes to the engine now, which waits, which is refused at once.

One `Admission` a model. A lane's share counts the lane and those below it together, so what is
above a share is kept free for higher lanes: with ide 1.0, chat 0.75, eval 0.5, a quarter of the
slots is never held by anything but completion in an editor. Runs in one event loop; no locks.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from server.errors import ApiError
from server.settings import LANES, Lane, LaneSettings

FIRST_GUESS_SECONDS = 1.0
SMOOTHING = 0.1
"""Weight of the newest service time in the moving average behind Retry-After."""


@dataclass(kw_only=True, eq=False)
class _Waiter:
    slots: int
    granted: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Admission:
    """Bounded queues and slot shares in front of one engine.

    slots: sequences the engine decodes at once. A request with n answers takes n slots, at most
    its lane's whole share, so that it can always be admitted.
    """

    def __init__(self, slots: int, lanes: Mapping[Lane, LaneSettings]) -> None:
        self._slots = slots
        self._lanes = lanes
        self._running = dict.fromkeys(LANES, 0)
        self._waiting: dict[Lane, deque[_Waiter]] = {lane: deque() for lane in LANES}
        self._service_seconds = FIRST_GUESS_SECONDS

    def running(self, lane: Lane) -> int:
        """Slots that the lane holds."""
        return self._running[lane]

    def waiting(self, lane: Lane) -> int:
        """Requests of the lane that wait for a slot."""
        return len(self._waiting[lane])

    @asynccontextmanager
    async def slot(self, lane: Lane, sequences: int = 1) -> AsyncIterator[float]:
        """Hold slots for the body of the `with`; yields the seconds waited.

        Raises ApiError 429 at once when the lane's queue is full, or when its deadline passes.
        """
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        slots = min(sequences, self._limit(lane))
        await self._enter(lane, slots)
        began = loop.time()
        try:
            yield began - arrived
        finally:
            self._running[lane] -= slots
            self._service_seconds += SMOOTHING * (loop.time() - began - self._service_seconds)
            self._grant()

    async def _enter(self, lane: Lane, slots: int) -> None:
        queue, limits = self._waiting[lane], self._lanes[lane]
        if not queue and self._fits(lane, slots):
            self._running[lane] += slots
            return
        if len(queue) >= limits.queue:
            raise self._refusal(
                lane, f"the {lane} lane is full: {len(queue)} requests wait for a slot"
            )
        waiter = _Waiter(slots=slots)
        queue.append(waiter)
        entered = False
        try:
            async with asyncio.timeout(limits.queue_seconds):
                await waiter.granted
            entered = True
        except TimeoutError:
            raise self._refusal(
                lane, f"no slot of the {lane} lane came free within {limits.queue_seconds:g} s"
            ) from None
        finally:
            if not entered:
                self._withdraw(lane, waiter)

    def _withdraw(self, lane: Lane, waiter: _Waiter) -> None:
        if waiter in self._waiting[lane]:
            self._waiting[lane].remove(waiter)
        elif waiter.granted.done() and not waiter.granted.cancelled():
            # Granted and cancelled in the same turn of the loop: the slots go back.
            self._running[lane] -= waiter.slots
        self._grant()

    def _limit(self, lane: Lane) -> int:
        return max(1, math.floor(self._slots * self._lanes[lane].share))

    def _fits(self, lane: Lane, slots: int) -> bool:
        """Whether the lane's share, and that of every lane above it, has room."""
        position = LANES.index(lane)
        return all(
            sum(self._running[lower] for lower in LANES[upper:]) + slots
            <= self._limit(LANES[upper])
            for upper in range(position + 1)
        )

    def _grant(self) -> None:
        for lane in LANES:
            queue = self._waiting[lane]
            while queue and self._fits(lane, queue[0].slots):
                waiter = queue.popleft()
                if not waiter.granted.cancelled():
                    self._running[lane] += waiter.slots
                    waiter.granted.set_result(None)

    def _refusal(self, lane: Lane, message: str) -> ApiError:
        turns = (len(self._waiting[lane]) + 1) / self._limit(lane)
        seconds = min(max(1.0, turns * self._service_seconds), self._lanes[lane].queue_seconds * 2)
        return ApiError(
            429,
            f"{message}; try again in {math.ceil(seconds)} s.",
            kind="rate_limit_error",
            code="lane_overloaded",
            retry_after_seconds=seconds,
        )
