"""The sandbox: runs untrusted programs, and says what they did.

    with Sandbox() as sandbox:
        outcome = sandbox.run(program("python", "print(input())", stdin=b"hello"), Limits(cpu_seconds=2))

Expected answers have no place in here: whoever has them compares them with what comes out.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.compiled import CompiledCache
from sandbox.errors import SandboxUnavailable
from sandbox.isolation.choice import choose
from sandbox.isolation.http import HttpIsolation
from sandbox.isolation.isolation import Job, JobResult
from sandbox.outcome import CallOutcome, Outcome, Verdict
from sandbox.plan import Planner
from sandbox.pool import Pool, Ticket
from sandbox.program import Limits, Program
from sandbox.settings import SandboxSettings

log = logging.getLogger(__name__)

DEFAULTS = Limits()
_TRIES = 2
"""A run that we failed is tried on another worker once; then the failure is the caller's to know."""


class Sandbox:
    """Opened workers of the strongest isolation that works here, or of the one that was asked for.

    description: what holds programs, layer by layer. num_workers: how many run at once. Safe for
    many threads. Close it, or use it in a `with`.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        """Raises IsolationUnavailable with what this host lacks."""
        self._settings = settings or SandboxSettings()
        self._remote: HttpIsolation | None = None
        self._pool: Pool | None = None
        self.num_workers = self._settings.workers or os.cpu_count() or 1
        if self._settings.isolation == "http":
            self._remote = HttpIsolation(self._settings)
            self.description = self._remote.description
        else:
            self._isolation = choose(self._settings)
            self._pool = Pool(self._isolation, self.num_workers)
            self.description = self._isolation.description
        cache = Path(self._settings.cache).expanduser() / "compiled"
        self._planner = Planner(CompiledCache(cache, self._settings.cache_bytes))
        # As many threads as workers; with a remote, as many as may wait there.
        self._threads = ThreadPoolExecutor(self.num_workers, thread_name_prefix="sandbox")
        log.info("sandbox: %s, %d workers", self.description, self.num_workers)

    def run(self, program: Program, limits: Limits = DEFAULTS) -> Outcome:
        """Run one program to its end; waits for a free worker, which costs the program nothing.

        Raises UnknownLanguage, ToolchainMissing, InvalidProgram; SandboxUnavailable when we failed.
        """
        return self._run(program, limits, Ticket())

    def _run(self, program: Program, limits: Limits, ticket: Ticket) -> Outcome:
        if self._remote is not None:
            return self._remote.run(program, limits, ticket)
        planned = self._planner.plan(program, limits, lambda job: self._run_job(job, ticket))
        if isinstance(planned, Outcome):
            return planned
        return self._run_job(planned, ticket).outcome

    def _run_job(self, job: Job, ticket: Ticket) -> JobResult:
        assert self._pool is not None
        for attempt in range(1, _TRIES + 1):
            try:
                with self._pool.worker(ticket) as worker:
                    return worker.run(job)
            except SandboxUnavailable as error:
                if attempt == _TRIES:
                    raise
                log.warning("tried again on another worker: %s", error)
        raise AssertionError("unreachable")

    def run_inputs(
        self,
        program: Program,
        inputs: Iterable[bytes],
        limits: Limits = DEFAULTS,
        *,
        stop_at_first_failure: bool = False,
    ) -> Iterator[Outcome]:
        """One outcome an input, in order; the program is compiled once. Its own stdin is not used.

        A program that does not compile gives that outcome for its first input, and no more.
        stop_at_first_failure: no input is run after one whose verdict is not OK. A caller that
        compares outputs stops by leaving the loop.
        """
        for stdin in inputs:
            outcome = self.run(replace(program, stdin=stdin), limits)
            yield outcome
            if outcome.verdict is Verdict.COMPILE_ERROR or (
                stop_at_first_failure and not outcome.ok
            ):
                return

    def call(
        self,
        program: Program,
        function: str,
        calls: Sequence[tuple[Any, ...]],
        limits: Limits = DEFAULTS,
        *,
        in_turn_seconds: float | None = None,
    ) -> tuple[Outcome, tuple[CallOutcome, ...]]:
        """Load a Python program once, then call a function of it, each call in a fork of its own.

        function: an expression in the program's names, such as "solve" or "Solution().solve".
        calls: the arguments of each call: plain data, see sandbox.worker.values. limits hold for
        loading and for each call. Returns how the program did as a whole, and one outcome a call
        as far as it came: a program that fails to load has one, with that failure. Values are
        claims of the program: compare them with what only you know.

        in_turn_seconds: all calls in one process, one after the other, each with this CPU time and
        5 s and five times that by the clock, up to the first that fails; limits then hold for all
        of it together, and what calls print is not kept. Hundreds of times faster for calls of
        microseconds.
        """
        if self._remote is not None:
            raise SandboxUnavailable("calls are not offered by remote nodes: run programs instead")
        job = self._planner.calls(program, function, calls, limits, in_turn_seconds)
        result = self._run_job(job, Ticket())
        return result.outcome, result.calls

    async def run_async(self, program: Program, limits: Limits = DEFAULTS) -> Outcome:
        """`run` for coroutines. Cancelling the task ends the program."""
        ticket = Ticket()
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._threads, self._run, program, limits, ticket)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            ticket.cancel()
            if not running.cancel():
                await asyncio.wait([running])
            if running.done() and not running.cancelled():
                running.exception()
            raise

    async def run_many(
        self,
        programs: Iterable[Program],
        limits: Limits = DEFAULTS,
        *,
        concurrency: int | None = None,
    ) -> AsyncIterator[Outcome]:
        """Outcomes in the order of the programs, which are taken as there is room for them.

        concurrency: most programs begun and not yet handed out; default twice the workers. Leaving
        the loop, or cancelling, ends what runs.
        """
        most = concurrency or 2 * self.num_workers
        begun: deque[asyncio.Task[Outcome]] = deque()
        try:
            for program in programs:
                begun.append(asyncio.create_task(self.run_async(program, limits)))
                if len(begun) >= most:
                    yield await begun[0]
                    begun.popleft()
            while begun:
                yield await begun[0]
                begun.popleft()
        finally:
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)

    def close(self) -> None:
        """End every worker and leave nothing behind."""
        if self._pool is not None:
            self._pool.close()
            self._isolation.close()
        if self._remote is not None:
            self._remote.close()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
