"""The server as the loop's child: `codeloop serve` kept running, and the URL that it answers at.

Its port stays the same from one start to the next, so that whoever is asking goes on asking there.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp

from deploy.errors import LoopFailed
from deploy.launch import READY_MARK
from deploy.loop.child import Child
from deploy.loop.journal import Journal
from server.settings import ServerSettings

POLL_SECONDS = 0.1


class GatewayChild:
    """arguments: global options of `codeloop`. on_ready: called with the URL after each start, before
    anybody else is told; when it raises LoopFailed the server is started again.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        arguments: Sequence[str],
        folder: Path,
        journal: Journal,
        on_ready: Callable[[str], Awaitable[None]],
    ) -> None:
        # A loop that is gone lets the answers under way end.
        self.child = Child("server", journal=journal, logs=folder / "logs", tie=signal.SIGTERM)
        self.url: str | None = None
        self._port, self._start_seconds = settings.port, settings.start_seconds
        self._arguments, self._out = arguments, folder / "server.out"
        self._on_ready = on_ready
        self._is_ready = asyncio.Event()

    async def run(self) -> None:
        """Keep it running until this is cancelled; then it drains. Raises LoopFailed."""
        await self.child.again_and_again(self._once)

    async def ready(self) -> str:
        """Its URL, once it answers."""
        await self._is_ready.wait()
        assert self.url is not None
        return self.url

    async def _once(self) -> bool:
        self._out.unlink(missing_ok=True)
        words = ["deploy", *self._arguments, "serve", "--port", str(self._port)]
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.child.run(words, out=self._out))
            greeting = tasks.create_task(self._greet(running))
            await asyncio.wait((running,))
            self._is_ready.clear()
            self.url = None
            greeting.cancel()
        return False

    async def _greet(self, running: "asyncio.Task[int]") -> None:
        try:
            async with asyncio.timeout(self._start_seconds):
                while not (url := await self._announced()):
                    await asyncio.sleep(POLL_SECONDS)
            await self._on_ready(url)
        except (TimeoutError, LoopFailed) as error:
            with self.child.log_path.open("a") as log:
                log.write(f"the loop starts the server again: {type(error).__name__} {error}\n")
            if self.child.pid is not None:
                running.cancel()
            return
        self.url = url
        self._port = int(url.rpartition(":")[2])
        self._is_ready.set()

    async def _announced(self) -> str:
        """The URL that it printed, once it answers there."""
        with contextlib.suppress(OSError):
            for line in self._out.read_text().splitlines():
                if line.startswith(READY_MARK):
                    url = line.removeprefix(READY_MARK).removesuffix("/v1")
                    return url if await _answers(url) else ""
        return ""


async def _answers(url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url}/health/live") as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
