"""Versions on their way to the users: into the catalog, through the gate, live; each step may be repeated.

The one file of the loop that moves versions. A step that was done already is not done again, so a loop
that was killed in the middle of one takes it once more.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from deploy.errors import LoopFailed
from deploy.loop.server_client import ServerClient
from server.errors import ServerError
from server.store import Store
from server.version_catalog import VersionCatalog
from server.version_record import BASE_VERSION, Score, Version
from server.version_states import State

T = TypeVar("T")
ACTOR = "loop"
_GATED = frozenset({State.GATED, State.CANARY, State.LIVE, State.DRAINING, State.RETIRED})


class Promotion:
    """One model's versions. home: of the server; actor: who the history names."""

    def __init__(self, home: Path, model: str, *, actor: str = ACTOR) -> None:
        self._store = Store(f"sqlite:///{home / 'codeloop.db'}")
        self._catalog = VersionCatalog(self._store, home / "versions")
        self._model, self._actor = model, actor

    def close(self) -> None:
        self._store.close()

    async def versions(self) -> list[Version]:
        """All of them, oldest first."""
        return await _called(lambda: self._catalog.versions(self._model))

    async def live(self) -> Version:
        """What answers the users, by the catalog. Raises LoopFailed when nothing does."""
        found = await _called(lambda: self._catalog.live(self._model))
        if found is None:
            raise LoopFailed(
                f"{self._model} has no live version in the catalog: promote one with `codeloop"
                " promote`, then start the loop again"
            )
        return found

    async def settle(self, server: ServerClient) -> None:
        """After a start of the server: let it answer the users from the version that is live."""
        weights = await server.weights(self._model)
        if weights.version == BASE_VERSION:
            await _called(
                lambda: self._catalog.adopt_base(self._model, weights.folder, actor=self._actor)
            )
        await _called(self._catalog.reconcile)
        live = await self.live()
        if weights.version != live.version:
            await server.load(self._model, live.folder, live.version, allow_ungated=True)

    async def take_in(self, folder: Path, version: str) -> Version:
        """Verify a trainer's folder and keep a copy. Raises LoopFailed."""
        return await _called(
            lambda: self._catalog.publish(
                self._model, folder, version=version, actor=self._actor, reason="trained"
            )
        )

    async def pass_gate(
        self, version: str, *, reason: str, evidence: Mapping[str, Any], scores: Mapping[str, Score]
    ) -> None:
        """Let it be promoted. Raises LoopFailed."""
        if (await self._get(version)).state not in _GATED:
            await self._advance(version, State.GATED, reason, evidence, scores)

    async def reject(
        self, version: str, *, reason: str, evidence: Mapping[str, Any], scores: Mapping[str, Score]
    ) -> None:
        """It goes nowhere. Raises LoopFailed."""
        if (await self._get(version)).state is State.VERIFIED:
            await self._advance(version, State.REJECTED, reason, evidence, scores)

    async def promote(
        self, server: ServerClient, version: str, *, reason: str
    ) -> tuple[str, dict[str, Any]]:
        """Let it answer the users: what it replaces, and the swap's report. Raises LoopFailed.

        The catalog first: a server that dies in between is settled on what the catalog says.
        """
        live = await self.live()
        replaces = live.version
        if replaces != version:
            found = await _called(
                lambda: self._catalog.promote(
                    self._model, version, replaces=replaces, actor=self._actor, reason=reason
                )
            )
        else:
            found, replaces = live, live.predecessor or BASE_VERSION
        report: dict[str, Any] = {"version": version, "is_settled_already": True}
        if (await server.weights(self._model)).version != version:
            report = await server.load(self._model, found.folder, version, allow_ungated=True)
        await self._retire(replaces)
        return replaces, report

    async def _retire(self, version: str) -> None:
        if (await self._get(version)).state is State.DRAINING:
            await self._advance(version, State.RETIRED, "nothing is drawn from it", {}, {})

    async def _get(self, version: str) -> Version:
        return await _called(lambda: self._catalog.get(self._model, version))

    async def _advance(
        self,
        version: str,
        state: State,
        reason: str,
        evidence: Mapping[str, Any],
        scores: Mapping[str, Score],
    ) -> None:
        await _called(
            lambda: self._catalog.advance(
                self._model,
                version,
                state,
                actor=self._actor,
                reason=reason,
                evidence=evidence,
                scores=scores,
            )
        )


async def _called(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except ServerError as error:
        raise LoopFailed(f"the catalog of versions: {error}") from error
