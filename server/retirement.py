"""Versions on their way out: their answers end, then what held them is let go, then they are retired."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from server.blue_green import STOP_SECONDS
from server.catalog import Catalog, ServedModel
from server.errors import EngineError, VersionError
from server.exchange import Desk, Ending, Exchange
from server.version_catalog import VersionCatalog
from server.version_states import State

log = logging.getLogger(__name__)

ACTOR = "server"


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """A version that goes. served: None where the weights were replaced in their engine.

    under_way: answers that it began. becomes: `retired`, or `rejected` for what had to go. on_end: told how these ended, gives the evidence of the move.
    """

    model: str
    version: str
    served: ServedModel | None
    under_way: frozenset[Exchange]
    on_end: Callable[[list[Ending]], Mapping[str, Any]]
    becomes: State = State.RETIRED


class Retirement:
    """Everything of one server that is on its way out."""

    def __init__(self, catalog: Catalog, versions: VersionCatalog, desk: Desk) -> None:
        self._catalog = catalog
        self._versions = versions
        self._desk = desk
        self._leaving: dict[tuple[str, str], tuple[Leaving, asyncio.Task[None]]] = {}

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """One a version that goes."""
        return [task for _, task in self._leaving.values()]

    def draining(self, model: str) -> list[str]:
        """The versions of a model whose answers have not all ended."""
        return [version for name, version in self._leaving if name == model]

    def begin(self, leaving: Leaving) -> None:
        """Let it go from now on."""
        key = (leaving.model, leaving.version)
        task = asyncio.create_task(self._leave(leaving), name=f"retire {key}")
        self._leaving[key] = (leaving, task)

    def revive(self, model: str, version: str) -> Leaving | None:
        """It is wanted again; what it was doing, to be begun again if nothing comes of that."""
        found = self._leaving.pop((model, version), None)
        if found is None:
            return None
        leaving, task = found
        task.cancel()
        return leaving

    async def _leave(self, leaving: Leaving) -> None:
        endings = []
        for exchange in leaving.under_way:
            await exchange.ended.wait()
            endings.append(exchange.ending())
        if leaving.served is not None:
            await self._let_go(leaving.served, leaving.version)
        self._leaving.pop((leaving.model, leaving.version), None)
        evidence = leaving.on_end(endings)
        try:
            await asyncio.to_thread(self._retire, leaving, evidence)
        except VersionError as error:
            log.warning("%s@%s is not retired: %s", leaving.model, leaving.version, error)

    def _retire(self, leaving: Leaving, evidence: Mapping[str, Any]) -> None:
        found = self._versions.get(leaving.model, leaving.version)
        if found.state is State.DRAINING:
            self._versions.advance(
                leaving.model,
                leaving.version,
                leaving.becomes,
                actor=ACTOR,
                reason="its last answer has ended",
                evidence=evidence,
            )

    async def _let_go(self, served: ServedModel, version: str) -> None:
        """Wait for those that named it after the swap too, then free what it holds."""
        public = served.parent or served.name
        is_gone = served.engine is not self._catalog.find(public).engine
        while users := [
            each
            for each in self._desk.live
            if each.is_in_engine
            and (each.model.engine is served.engine if is_gone else each.model is served)
        ]:
            await users[0].ended.wait()
        if is_gone:
            # Nobody may choose it any more before it stops; nothing is awaited in between.
            self._catalog.set_other(f"{public}@{version}", None)
            self._leaving.pop((public, version), None)
            await served.engine.stop(drain_seconds=STOP_SECONDS)

    async def make_room(self, model: ServedModel, *, num_kept: int | None = None) -> None:
        """Unload adapters that served users and do no more, the oldest first.

        They keep their places for a roll-back until these are needed. num_kept: so many stay; None
        for all but one place.
        """
        most = model.most_adapters - 1 if num_kept is None else num_kept
        for adapter in self._catalog.adapters(model):
            if len(self._catalog.adapters(model)) <= most:
                return
            version = adapter.versions.weights.version
            is_held = version in self.draining(model.name) or self._catalog.is_answering(
                adapter.name
            )
            if adapter.role == "serving" and not is_held:
                self._catalog.remove_adapter(adapter.name)
                with suppress(EngineError):
                    await model.engine.unload_adapter(adapter.name)
