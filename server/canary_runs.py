"""Canaries from their begin to their end: what answers the share, and what a decision sets in motion."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from server.canary import CanaryWatch, Split
from server.catalog import Canary, Catalog, ServedModel
from server.retirement import Leaving, Retirement
from server.version_catalog import VersionCatalog
from server.version_record import Version
from server.version_states import State


class CanaryRuns:
    """All canaries of one server, one a model. act: told once what a comparison decided."""

    def __init__(
        self,
        catalog: Catalog,
        versions: VersionCatalog,
        retirement: Retirement,
        act: Callable[[Version, CanaryWatch], Awaitable[None]],
    ) -> None:
        self._catalog = catalog
        self._versions = versions
        self._retirement = retirement
        self._act = act
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self, found: Version, served: ServedModel, split: Split, least_requests: int) -> None:
        """Let what is loaded and in the catalog answer its share from now on."""
        if served.engine is not self._catalog.find(found.model).engine:
            self._catalog.set_other(found.name, served)
        watch = CanaryWatch(least_requests, partial(self._decided, found))
        self._catalog.set_canary(found.model, Canary(model=served, split=split, watch=watch))

    def _decided(self, found: Version, watch: CanaryWatch) -> None:
        """Told as an answer ends, so what follows is a task of its own."""
        if watch.answer == "regresses":
            # At once, whatever else is under way: nobody meets it any more.
            self._stop_trying(found.model, found.version)
        task = asyncio.create_task(_awaited(self._act(found, watch)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _stop_trying(self, model: str, version: str) -> ServedModel | None:
        canary = self._catalog.canary(model)
        if canary is None or canary.model.versions.weights.version != version:
            return None
        self._catalog.set_canary(model, None)
        return canary.model

    async def end(
        self,
        model: str,
        version: str,
        to_state: State,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any],
    ) -> Version:
        """Nobody meets it any more; it moves on in the catalog, and goes when its answers have ended."""
        name = f"{model}@{version}"
        served = self._stop_trying(model, version)
        served = served or self._catalog.others(model).get(name) or self._catalog.adapter(name)
        found = await asyncio.to_thread(
            partial(
                self._versions.advance,
                model,
                version,
                to_state,
                actor=actor,
                reason=reason,
                evidence=evidence,
            )
        )
        if served is not None:
            self._retirement.begin(
                Leaving(
                    model=model,
                    version=version,
                    served=served,
                    under_way=frozenset(),
                    on_end=lambda endings: {},
                )
            )
        return found


async def _awaited(work: Awaitable[None]) -> None:
    await work
