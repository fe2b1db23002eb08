"""One child process and all that it starts: spawned with a lifeline, logged, ended without a rest.

The child leads a session and process group of its own. Ending it kills the group, so no worker
of an engine keeps its memory; our own end closes the lifeline, and the child does the same.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""

GROUP_GONE_SECONDS = 15.0
"""How long the kernel may take to end a killed group; its memory must be free by then."""

LOG_ROTATE_BYTES = 64 * 2**20
LOG_TAIL_BYTES = 16 * 1024
LOG_TAIL_LINES = 40


class ChildProcess:
    """A running child. `lifeline` is the option that tells it which descriptor to watch."""

    def __init__(self, process: asyncio.subprocess.Process, lifeline: int, log_path: Path) -> None:
        self._process = process
        self._lifeline: int | None = lifeline
        self._log_path = log_path

    @classmethod
    async def spawn(
        cls,
        arguments: Sequence[str],
        *,
        trailing: Sequence[str],
        environment: Mapping[str, str],
        log_path: Path,
    ) -> "ChildProcess":
        """Start `arguments --lifeline FD trailing`; its output goes to the end of `log_path`."""
        log = _open_log(log_path)
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                "--lifeline",
                str(read_end),
                *trailing,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                pass_fds=(read_end,),
                start_new_session=True,
            )
        except BaseException:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
            os.close(log)
        return cls(process, write_end, log_path)

    @property
    def pid(self) -> int:
        """Process id, and id of the process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        return await self._process.wait()

    async def end(self) -> None:
        """End the child gently, then its whole group at once; returns when none is left."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    await self._process.wait()
        deadline = time.monotonic() + GROUP_GONE_SECONDS
        while self.kill() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await self._process.wait()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def kill(self) -> bool:
        """Kill every process of the group; False when there is none left."""
        if self._lifeline is None:
            return False  # it was ended, and its id may be another's by now
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def log_tail(self) -> str:
        """The last lines of its log, indented."""
        with self._log_path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            lines = [line for line in file.read().decode(errors="replace").splitlines() if line]
        return "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])


def _open_log(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_ROTATE_BYTES:
        path.replace(path.with_suffix(path.suffix + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
