"""The whole loop: server, users, rounds and those who watch, up together and down in order."""

import asyncio
import os
import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.errors import LoopError
from deploy.loop.child import Child
from deploy.loop.comparison import gain_fields, gain_of
from deploy.loop.gateway import GatewayChild
from deploy.loop.journal import Journal, Row
from deploy.loop.keys import new_keys
from deploy.loop.page import page
from deploy.loop.progress import Progress, progress_of
from deploy.loop.promotion import Promotion
from deploy.loop.rounds import Rounds, Work
from deploy.loop.server_client import ServerClient
from deploy.loop.settings import LoopSettings
from deploy.loop.status import Status
from deploy.loop.traffic import Traffic
from deploy.loop.view import View
from server.settings import ServerSettings
from server.version_record import BASE_VERSION

DRAW_SECONDS = 1.0
DONE, INTERRUPTED = "done", "interrupted"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a loop runs. file: its own. folder: of its journal, its run and its evaluations.

    home, arguments: of the installation; arguments are the global options that lead there.
    """

    file: Path
    folder: Path
    home: Path
    config: Path | None

    @property
    def options(self) -> Sequence[str]:
        """Global options for a command of this installation."""
        config = () if self.config is None else ("--config", str(self.config))
        return ("--home", str(self.home), *config)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """reason: DONE or INTERRUPTED."""

    reason: str
    progress: Progress


async def run_loop(
    settings: LoopSettings,
    server: ServerSettings,
    place: Place,
    *,
    console: Console,
    page_port: int | None,
) -> Ended:
    """Begin a loop, or go on with it, to its last round or to a signal. Raises LoopError."""
    view = View(console)
    progress = Progress()

    def listen(row: Row) -> None:
        progress.take(row)
        view.event(row)

    journal = Journal(place.folder, listen)
    try:
        vars(progress).update(vars(progress_of(journal.rows)))
        if settings.rounds and progress.compared and progress.num_closed >= settings.rounds:
            console.print(f"{progress.loop} has ended; --out with another folder begins anew")
            return Ended(reason=DONE, progress=progress)
        if not progress.loop:
            name = f"{settings.name}.{secrets.token_hex(2)}"
            journal.write("begin", loop=name, model=settings.model, sampler=settings.sampler)
        journal.write("start", pid=os.getpid())
        loop = _Loop(settings, server, place, journal, progress, view, console)
        return await loop.run(page_port)
    except BaseExceptionGroup as group:
        raise _first_error(group) from group
    finally:
        journal.close()


class _Loop:
    def __init__(
        self,
        settings: LoopSettings,
        server: ServerSettings,
        place: Place,
        journal: Journal,
        progress: Progress,
        view: View,
        console: Console,
    ) -> None:
        keys = new_keys(place.home, settings.name)
        logs = place.folder / "logs"
        environment = {"CODELOOP_KEY": keys.work}
        self._journal, self._progress, self._view, self._console = journal, progress, view, console
        self._promotion = Promotion(place.home, settings.model)
        self._gateway = GatewayChild(
            server, arguments=place.options, folder=place.folder, journal=journal,
            on_ready=self._greet,
        )  # fmt: skip
        self._work = Work(
            settings=settings,
            file=place.file,
            folder=place.folder,
            key=keys.work,
            arguments=place.options,
            journal=journal,
            progress=progress,
            gateway=self._gateway,
            promotion=self._promotion,
            trainer=Child("trainer", journal=journal, logs=logs, environment=environment),
            evaluator=Child("evaluator", journal=journal, logs=logs, environment=environment),
            told=self._told,
        )
        self._rounds = Rounds(self._work)
        self._traffic = Traffic(
            settings.traffic, model=settings.model, key=keys.users, gateway=self._gateway
        )
        self._status = Status(self._work, self._traffic)

    async def run(self, page_port: int | None) -> Ended:
        """All of it."""
        try:
            if page_port is None:
                return await self._run()
            async with page("127.0.0.1", page_port, self._status.snapshot) as url:
                self._console.print(f"status page: {url}", highlight=False)
                return await self._run()
        finally:
            self._promotion.close()

    async def _run(self) -> Ended:
        with self._view:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(self._gateway.run())
                drawing = tasks.create_task(self._draw())
                asking = tasks.create_task(self._traffic.run())
                working = tasks.create_task(self._until_done())
                _on_signals(working)
                await asyncio.wait((working,))
                reason = INTERRUPTED if working.cancelled() else DONE
                if not working.cancelled() and working.exception() is not None:
                    return self._ended("failed")  # the group raises what it was
                self._told("draining")
                self._traffic.stop()
                if self._gateway.url is None:
                    asking.cancel()
                await asyncio.wait((asking,))
                serving.cancel()
                await asyncio.wait((serving,))
                drawing.cancel()
        return self._ended(reason)

    async def _until_done(self) -> None:
        self._told("starting the server")
        await self._gateway.ready()
        await self._rounds.run()
        if self._progress.compared is None:
            await self._compare()

    async def _compare(self) -> None:
        """What was learned in all: fresh answers of the live version, for a gate chose by the others."""
        versions = {one.version: one for one in await self._promotion.versions()}
        live = await self._promotion.live()
        self._told(f"comparing {live.version} with version {BASE_VERSION}")
        before = await self._rounds.evaluated(BASE_VERSION, versions[BASE_VERSION].folder)
        after = await self._rounds.evaluated(live.version, live.folder, mark="-final")
        found = gain_of(before, after, self._work.settings.heldout.suite)
        self._journal.write(
            "compared", before=BASE_VERSION, after=live.version, gain=gain_fields(found)
        )

    async def _greet(self, url: str) -> None:
        async with ServerClient(url, self._work.key) as server:
            await self._promotion.adopt_base(server)

    async def _draw(self) -> None:
        while True:
            self._view.show(await self._status.snapshot())
            await asyncio.sleep(DRAW_SECONDS)

    def _told(self, now: str) -> None:
        self._status.now = now

    def _ended(self, reason: str) -> Ended:
        counts = self._traffic.counts
        if self._work.settings.traffic.users:
            self._journal.write(
                "traffic", requests=counts.num_requests, failed=counts.num_failed,
                last_failure=counts.last_failure, versions=dict(counts.versions),
            )  # fmt: skip
        self._journal.write("end", reason=reason)
        return Ended(reason=reason, progress=self._progress)


def _on_signals(working: "asyncio.Task[None]") -> None:
    """The first signal ends the work in order; the second one is not waited for."""
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        loop.remove_signal_handler(number)
        working.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: Any = group
    while isinstance(found, BaseExceptionGroup):
        expected = found.subgroup(LoopError)
        found = (expected or found).exceptions[0]
    assert isinstance(found, BaseException)
    return found
