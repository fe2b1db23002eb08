"""Child processes of the loop: tied to it, logged, and started again with growing pauses when they die."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from deploy.errors import LoopFailed
from deploy.loop.journal import Journal

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
MOST_FAILURES = 8
"""Deaths in a row, each soon after its start, after which a person has to look."""
HEALTHY_SECONDS = 60.0
"""A child that ran so long was well: the pauses begin anew."""
STOP_SECONDS = 60.0
TAIL_BYTES = 3000


class Child:
    """A program of this installation. name: in the journal and of its log file.

    tie: what the kernel sends it when the loop is gone. environment: beside our own.
    """

    def __init__(
        self,
        name: str,
        *,
        journal: Journal,
        logs: Path,
        tie: signal.Signals = signal.SIGKILL,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.pid: int | None = None
        self.num_restarts = 0
        self._journal, self._tie = journal, tie
        self._environment = {**os.environ, **(environment or {})}
        logs.mkdir(parents=True, exist_ok=True)
        self.log_path = logs / f"{name}.log"

    async def run(self, arguments: Sequence[str], *, out: Path | None = None) -> int:
        """Run `python -m arguments` once; its exit code. out: takes its stdout. When this is cancelled
        it is ended gently, then at once.
        """
        tied = ("deploy.loop.tethered", self._tie.name, str(os.getpid()))
        command = [sys.executable, "-m", *tied, sys.executable, "-m", *arguments]
        with self.log_path.open("ab") as log, (out or self.log_path).open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=self._environment,
                # Ctrl-C is the loop's: it ends its children in order.
                start_new_session=True,
            )
        self.pid = process.pid
        self._journal.write("child", name=self.name, event="started", pid=process.pid)
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        finally:
            self.pid = None
        self._journal.write("child", name=self.name, event="ended", exit_code=code)
        return code

    async def until_done(self, arguments: Sequence[str]) -> None:
        """Run it until it has ended well. Raises LoopFailed when it fails again and again."""

        async def once() -> bool:
            return await self.run(arguments) == 0

        await self.again_and_again(once)

    async def again_and_again(self, once: Callable[[], Awaitable[bool]]) -> None:
        """Call until it is True, with growing pauses. Raises LoopFailed."""
        num_failures = 0
        while True:
            began = time.monotonic()
            if await once():
                return
            self.num_restarts += 1
            if time.monotonic() - began > HEALTHY_SECONDS:
                num_failures = 0
            num_failures += 1
            if num_failures >= MOST_FAILURES:
                raise LoopFailed(
                    f"the {self.name} failed {num_failures} times in a row: mend what its log"
                    f" {self.log_path} tells, then start the loop again; it ends with\n{self.tail()}"
                )
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (num_failures - 1), LONGEST_PAUSE_SECONDS)
            self._journal.write("child", name=self.name, event="restarting", seconds=pause)
            await asyncio.sleep(pause)

    def tail(self) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError), self.log_path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            return file.read().decode(errors="replace")
        return ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL for its whole group when it does not go."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
