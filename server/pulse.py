"""Keep-alive comments for silent streams, from one ticker instead of a timer a stream."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from server.streaming import KEEP_ALIVE

Comment = Callable[[bytes], Awaitable[None]]


class Beat:
    """When one stream last said something."""

    def __init__(self, say: Comment) -> None:
        self.say = say
        self.last_seconds = time.monotonic()

    def touch(self) -> float:
        """Note that it speaks now; returns the time."""
        self.last_seconds = time.monotonic()
        return self.last_seconds


class Pulse:
    """Sends a comment into every stream that was silent for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._beats: set[Beat] = set()
        self._task: asyncio.Task[None] | None = None
        self._saying: set[asyncio.Task[None]] = set()

    @contextmanager
    def watching(self, say: Comment) -> Iterator[Beat]:
        """Watch one stream for the body of the `with`."""
        beat = Beat(say)
        self._beats.add(beat)
        try:
            yield beat
        finally:
            self._beats.discard(beat)

    def start(self) -> None:
        """Begin ticking, in a task of the running loop."""
        self._task = asyncio.create_task(self._tick(), name="pulse")

    def stop(self) -> None:
        """End the ticking."""
        if self._task:
            self._task.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / 4)
            silent_since = time.monotonic() - self._seconds
            due = [beat for beat in self._beats if beat.last_seconds <= silent_since]
            for beat in due:
                beat.touch()
                # In a task: one client that does not read must not hold up the others.
                task = asyncio.create_task(_say(beat, self._beats))
                self._saying.add(task)  # the loop alone would hold it weakly
                task.add_done_callback(self._saying.discard)


async def _say(beat: Beat, live: set[Beat]) -> None:
    if beat in live:
        await beat.say(KEEP_ALIVE)
