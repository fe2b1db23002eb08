"""Who may wait for a worker of this node, and in which order: a bounded line, first come, first served."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from sandbox.errors import (
    InvalidProgram,
    SandboxBusy,
    SandboxError,
    ToolchainMissing,
    UnknownLanguage,
)
from sandbox.node_metrics import NodeMetrics
from sandbox.outcome import Outcome
from sandbox.program import Limits, Program
from sandbox.toolchain import toolchain

LONGEST_RETRY_SECONDS = 30.0


class Runner(Protocol):
    """What a node needs of a Sandbox."""

    num_workers: int
    description: str

    async def run_async(self, program: Program, limits: Limits = ...) -> Outcome:
        """Run a program; cancelling the task ends it."""


class Admission:
    """The line before the workers. A request has one place in it, however many programs it brings."""

    def __init__(self, sandbox: Runner, *, queue: int, metrics: NodeMetrics) -> None:
        self.num_workers = sandbox.num_workers
        self.is_failing = False
        """The last program got no verdict, by our fault."""
        self._sandbox = sandbox
        self._most_places = sandbox.num_workers + queue
        self._num_places = 0
        self._free_workers = asyncio.Semaphore(sandbox.num_workers)
        self._mean_run_seconds = 0.1
        self._metrics = metrics
        metrics.workers.set(self.num_workers)

    def refuse_when_full(self) -> None:
        """Raise SandboxBusy when there is no place."""
        if self._num_places >= self._most_places:
            line_seconds = self._mean_run_seconds * self._num_places / self.num_workers
            raise SandboxBusy(
                f"the node's line is full with {self._num_places} requests: at most"
                f" {self._most_places} run or wait; try another node, or this one later",
                retry_after_seconds=min(LONGEST_RETRY_SECONDS, max(1.0, line_seconds)),
            )

    @contextmanager
    def place(self) -> Iterator[None]:
        """A request's place. Raises SandboxBusy."""
        self.refuse_when_full()
        self._num_places += 1
        try:
            yield
        finally:
            self._num_places -= 1

    async def run(self, program: Program, limits: Limits) -> Outcome:
        """Run a program when its turn comes. Cancelling takes it out of the line or ends it."""
        language = toolchain(program.language).name
        asked = began = time.monotonic()
        try:
            async with self._worker():
                began = time.monotonic()
                self._metrics.queue_seconds.observe(began - asked)
                outcome = await self._sandbox.run_async(program, limits)
        except asyncio.CancelledError:
            self._metrics.cancelled.inc()
            raise
        except (InvalidProgram, UnknownLanguage, ToolchainMissing, SandboxBusy):
            raise
        except SandboxError:
            self.is_failing = True
            self._metrics.failures.inc()
            raise
        self.is_failing = False
        seconds = time.monotonic() - began
        self._mean_run_seconds += 0.05 * (seconds - self._mean_run_seconds)
        self._metrics.run_seconds.labels(language).observe(seconds)
        self._metrics.outcomes.labels(outcome.verdict.value, language).inc()
        return outcome

    async def run_batch(
        self, programs: Sequence[Program], limits: Limits, *, stop_at_first_failure: bool
    ) -> list[Outcome]:
        """Outcomes in the order of the programs; with a stop, up to the first that is not OK.

        At most twice as many programs as workers are in the line, so that others come between.
        """
        outcomes: list[Outcome] = []
        begun: deque[asyncio.Task[Outcome]] = deque()
        waiting = iter(programs)
        try:
            while len(outcomes) < len(programs):
                while len(begun) < 2 * self.num_workers and (program := next(waiting, None)):
                    begun.append(asyncio.create_task(self.run(program, limits)))
                outcomes.append(await begun[0])
                begun.popleft()
                if stop_at_first_failure and not outcomes[-1].ok:
                    break
        finally:
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)
        return outcomes

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[None]:
        with self._metrics.waiting.track_inprogress():
            await self._free_workers.acquire()
        try:
            with self._metrics.running.track_inprogress():
                yield
        finally:
            self._free_workers.release()
