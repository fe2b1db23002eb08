"""An engine as a supervised child process on a unix socket in a private folder.

Promises: ready means that a real generation succeeded; a child that dies is started again with
growing pauses while `forward` raises EngineUnavailable; no process of a child outlives us.
"""

import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from server.child_process import ChildProcess
from server.engine import (
    EngineHealth,
    EngineRequest,
    EngineResponse,
    EngineState,
    FolderFacts,
    LoadedWeights,
    SwapReport,
    TokenCount,
)
from server.engine_child import ABORT_PATH, HEALTH_PATH
from server.engine_link import EngineLink
from server.engine_weights import load_adapter, load_weights, unload_adapter, verify_weights
from server.errors import (
    EngineBroken,
    EngineGone,
    EngineStartError,
    EngineUnavailable,
    UpdateFailed,
    WeightsRefused,
)

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A child that lived this long earns the shortest pause again."""

READY_POLL_SECONDS = 0.1
ABORT_SECONDS = 2.0
ABORT_TRIES = 4
FIRST_START_GUESS_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class EngineCommand:
    """How to start one engine child, and how to see that it works.

    arguments: the program and its first flags. trailing: what follows the socket and lifeline
    flags. probe: a request that must come back with a generated token.
    """

    arguments: Sequence[str]
    trailing: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    probe: EngineRequest


class EngineProcess:
    """One engine child: started, probed, watched, restarted, drained."""

    def __init__(
        self,
        name: str,
        command: EngineCommand,
        *,
        start_seconds: float,
        log_path: Path,
        on_restart: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.name = name
        self._command = command
        self._start_seconds = start_seconds
        self._log_path = log_path
        self._on_restart = on_restart
        self._state = EngineState.STOPPED
        self._has_started = False
        self._restarts = 0
        self._detail = "not started"
        self._failure = ""
        self._typical_start_seconds = FIRST_START_GUESS_SECONDS
        self._ready_at_seconds = 0.0
        self._child: ChildProcess | None = None
        self._link: EngineLink | None = None
        self._lost_link: EngineLink | None = None
        self._watch: asyncio.Task[None] | None = None
        self._in_flight = 0
        # What was loaded after the start, for a child that is started in the place of a dead one.
        self._weights: LoadedWeights | None = None
        self._adapters: dict[str, LoadedWeights] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="codeloop-", ignore_cleanup_errors=True)

    @property
    def pid(self) -> int | None:
        """Process id of the child, and of its process group; None before the first start."""
        return self._child.pid if self._child else None

    def begin_on(
        self, weights: LoadedWeights | None, adapters: Mapping[str, LoadedWeights]
    ) -> None:
        self._weights = weights
        self._adapters = dict(adapters)

    def restart_on(self, weights: LoadedWeights | None) -> None:
        self._weights = weights
        self._kill()

    async def start(self) -> None:
        self._state = EngineState.STARTING
        try:
            await self._start_child()
        except EngineStartError:
            self._state = EngineState.STOPPED
            await self._end_child()
            raise
        self._state = EngineState.READY
        self._watch = asyncio.create_task(self._keep_alive(), name=f"engine {self.name}")

    async def stop(self, *, drain_seconds: float) -> None:
        self._state = EngineState.DRAINING
        deadline = time.monotonic() + drain_seconds
        while self._in_flight and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        if self._watch:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self._end_child()
        self._state = EngineState.STOPPED
        self._detail = "stopped"
        self._folder.cleanup()

    def health(self) -> EngineHealth:
        state, detail = self._state, self._detail
        if state is EngineState.READY and self._lost_link:
            # Whoever was just answered 503 must not be told meanwhile that all is well.
            state, detail = EngineState.RESTARTING, "its process has just ended"
        return EngineHealth(
            state=state,
            has_started=self._has_started,
            restarts=self._restarts,
            detail=detail,
            retry_after_seconds=0.0 if state is EngineState.READY else self._until_ready(),
        )

    async def forward(self, request: EngineRequest) -> EngineResponse:
        link = self._ready_link()
        self._in_flight += 1
        try:
            answer = await link.send(request, self._leave)
        except EngineGone as error:
            # Its end is seen here before its exit code is.
            self._leave()
            if link is self._link:
                self._lost_link = link
            raise EngineUnavailable(
                f"The engine of {self.name!r} has just ended and is being started again",
                retry_after_seconds=max(1.0, self._typical_start_seconds),
            ) from error
        except BaseException:
            self._leave()
            raise
        if link is self._lost_link:
            self._lost_link = None
        return answer

    async def abort(self, request_id: str) -> TokenCount | None:
        # A machine that stands still for seconds is no reason to let the request run on uncounted.
        for attempt in range(1, ABORT_TRIES + 1):
            if self._link is None:
                return None
            try:
                async with asyncio.timeout(ABORT_SECONDS):
                    answer = await self._link.send(EngineRequest(path=ABORT_PATH + request_id))
                    body = await answer.read()
                    answer.close()
            except EngineBroken as error:
                log.warning("abort unanswered: %s", error, extra={"request_id": request_id})
                return None
            except TimeoutError:
                log.warning(
                    "abort unanswered, try %d of %d", attempt, ABORT_TRIES,
                    extra={"request_id": request_id},
                )  # fmt: skip
            else:
                return TokenCount(**orjson.loads(body)) if answer.status == 200 else None
        return None

    async def verify_weights(self, folder: Path) -> FolderFacts:
        return await verify_weights(self._ready_link(), folder, seconds=self._start_seconds)

    async def load_weights(self, folder: Path, version: str) -> SwapReport:
        try:
            report = await load_weights(
                self._ready_link(), folder, version, seconds=self._start_seconds
            )
        except TimeoutError:
            # Nobody can say what it generates from; a new child is on the version before.
            self._kill()
            raise UpdateFailed(
                f"version {version} did not go into the engine of {self.name!r} within"
                f" {self._start_seconds:g} s; the engine is started again on the version before"
            ) from None
        self._weights = report.weights
        return report

    async def load_adapter(self, name: str, folder: Path) -> FolderFacts:
        found = await load_adapter(self._ready_link(), name, folder, seconds=self._start_seconds)
        self._adapters[name] = LoadedWeights(version=name, folder=str(folder), digest=found.digest)
        return found

    async def unload_adapter(self, name: str) -> None:
        await unload_adapter(self._ready_link(), name, seconds=self._start_seconds)
        self._adapters.pop(name, None)

    def _ready_link(self) -> EngineLink:
        if self._link is None or self._state not in (EngineState.READY, EngineState.DRAINING):
            raise EngineUnavailable(
                f"The engine of {self.name!r} is {self._state.value}",
                retry_after_seconds=self._until_ready(),
            )
        return self._link

    def _kill(self) -> None:
        if self._child:
            self._child.kill()

    def _leave(self) -> None:
        self._in_flight -= 1

    def _until_ready(self) -> float:
        return max(1.0, self._ready_at_seconds - time.monotonic())

    async def _start_child(self) -> None:
        began = time.monotonic()
        self._ready_at_seconds = began + self._typical_start_seconds
        # Why it does not start has to be seen while it is tried again, which takes most of the time.
        self._detail = f"starting again; {self._failure}" if self._failure else "starting"
        socket_path = Path(self._folder.name) / "engine.sock"
        socket_path.unlink(missing_ok=True)
        try:
            self._child = await ChildProcess.spawn(
                [*self._command.arguments, "--socket", str(socket_path)],
                trailing=self._command.trailing,
                environment={**self._command.environment, "TMPDIR": self._folder.name},
                log_path=self._log_path,
            )
        except OSError as error:
            raise EngineStartError(
                f"the engine of {self.name!r} cannot be started: {error}; free the disk, or let this"
                " user write its log"
            ) from error
        self._link, self._lost_link = EngineLink(socket_path), None
        try:
            async with asyncio.timeout(self._start_seconds):
                await self._until_it_generates(self._child, self._link)
                await self._put_back(self._link)
        except TimeoutError:
            raise self._start_error(f"was not ready in {self._start_seconds:g} s") from None
        self._typical_start_seconds = time.monotonic() - began
        self._has_started = True
        self._detail, self._failure = f"ready after {self._typical_start_seconds:.1f} s", ""
        log.info(
            "engine ready",
            extra={"model": self.name, "seconds": round(self._typical_start_seconds, 1)},
        )

    async def _until_it_generates(self, child: ChildProcess, link: EngineLink) -> None:
        while not await self._listens(link):
            if child.exit_code is not None:
                raise self._start_error(f"ended with code {child.exit_code}")
            await asyncio.sleep(READY_POLL_SECONDS)
        try:
            answer = await link.send(self._command.probe)
            body = await answer.read()
            answer.close()
        except EngineBroken as error:
            raise self._start_error("died at its first generation") from error
        if answer.status != 200 or not orjson.loads(body)["usage"]["completion_tokens"]:
            shown = body[:300].decode(errors="replace")
            raise self._start_error(f"generated nothing: status {answer.status}, {shown}")

    async def _put_back(self, link: EngineLink) -> None:
        """Load what the child before had, before anybody is answered. Raises EngineStartError."""
        seconds = self._start_seconds
        try:
            if weights := self._weights:
                report = await load_weights(
                    link, Path(weights.folder), weights.version, seconds=seconds
                )
                _need_same(weights, report.weights.digest)
            for name, adapter in self._adapters.items():
                found = await load_adapter(link, name, Path(adapter.folder), seconds=seconds)
                _need_same(adapter, found.digest)
        except (WeightsRefused, UpdateFailed, EngineBroken) as error:
            raise self._start_error(
                f"does not take the weights again that it had ({error}); put their folder back, or"
                " restart the server to begin from the version before"
            ) from error

    @staticmethod
    async def _listens(link: EngineLink) -> bool:
        try:
            answer = await link.send(EngineRequest(method="GET", path=HEALTH_PATH))
            await answer.read()
            answer.close()
        except EngineBroken:
            return False
        return answer.status == 200

    def _start_error(self, what: str) -> EngineStartError:
        assert self._child is not None
        return EngineStartError(
            f"the engine of {self.name!r} {what}; its log {self._log_path} ends with\n"
            f"{self._child.log_tail()}"
        )

    async def _keep_alive(self) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            assert self._child is not None
            began = time.monotonic()
            code = await self._child.wait()
            if time.monotonic() - began > STEADY_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            self._state = EngineState.RESTARTING
            self._detail = self._failure or (
                f"its process ended with code {code} and is being started again"
            )
            self._ready_at_seconds = time.monotonic() + pause_seconds + self._typical_start_seconds
            self._restarts += 1
            self._on_restart(self.name)
            log.error(
                "engine died",
                extra={"model": self.name, "code": code, "log": str(self._log_path)},
            )
            await self._end_child()
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
            try:
                await self._start_child()
            except EngineStartError as error:
                self._detail = self._failure = str(error).partition("\n")[0]
                log.error("engine did not start: %s", error)
                self._child.kill()
            else:
                self._state = EngineState.READY

    async def _end_child(self) -> None:
        if self._link:
            await self._link.close()
            self._link = None
        if self._child:
            await self._child.end()


def _need_same(weights: LoadedWeights, digest: str | None) -> None:
    """A folder that is whole, and another than it was, must not go on under the old name."""
    if weights.digest is not None and digest != weights.digest:
        raise WeightsRefused(
            f"{weights.folder} has digest {str(digest)[:12]}…, but {weights.version} was"
            f" {weights.digest[:12]}…: its files were changed"
        )
