"""Versions on their way to the users: into the catalog, past the gate, live; each step may be repeated.

The one file of the loop that moves versions. The catalog says what is done already, so a loop or a server
that was killed in the middle of a step takes it once more.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from deploy.errors import LoopFailed
from deploy.loop.server_client import ServerClient
from deploy.loop.settings import CanaryTable
from server.errors import ServerError
from server.store import Store
from server.version_catalog import VersionCatalog
from server.version_record import BASE_VERSION, Version
from server.version_states import State

T = TypeVar("T")
Outcome = Literal["live", "rejected", "overtaken"]
ACTOR = "loop"
POLL_SECONDS = 0.5
REPORT_SECONDS = 120.0
"""Longest that a swap's report waits for the requests that were under way."""
_ENDINGS: Mapping[State, Outcome] = {
    State.LIVE: "live",
    State.REJECTED: "rejected",
    State.REMOVED: "rejected",
    State.DRAINING: "overtaken",
    State.RETIRED: "overtaken",
}


@dataclass(frozen=True, kw_only=True)
class Promoted:
    """How a promotion ended. overtaken: it went live, and then somebody let another one answer.

    replaces: what answered before. report: of the swap, as the
    history has it; `canary`: of the one that began the canary.
    """

    outcome: Outcome
    replaces: str | None
    report: Mapping[str, Any]


class Promotion:
    """One model's versions. home: of the server."""

    def __init__(self, home: Path, model: str) -> None:
        self._store = Store(f"sqlite:///{home / 'codeloop.db'}")
        self._catalog = VersionCatalog(self._store, home / "versions")
        self._model = model

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

    async def adopt_base(self, server: ServerClient) -> None:
        """On the first start: what the engine began on is version 0. Raises LoopFailed."""
        if any(one.version == BASE_VERSION for one in await self.versions()):
            return
        folder = (await server.weights(self._model)).folder
        await _called(lambda: self._catalog.adopt_base(self._model, folder, actor=ACTOR))

    async def take_in(self, folder: Path, version: str) -> Version:
        """Verify a trainer's folder and keep a copy. Raises LoopFailed."""
        return await _called(
            lambda: self._catalog.publish(
                self._model, folder, version=version, actor=ACTOR, reason="trained by the loop"
            )
        )

    async def judge(self, server: ServerClient, version: str, verdict: Mapping[str, Any]) -> None:
        """Give the gate's verdict: the version is gated or rejected by it. Raises LoopFailed."""
        if (await self._get(version)).state is State.VERIFIED:
            await server.call("POST", f"/admin/versions/{self._model}@{version}/gate", verdict)

    async def promote(
        self,
        server: ServerClient,
        version: str,
        *,
        canary: CanaryTable,
        reason: str,
        override: bool = False,
    ) -> Promoted:
        """Have it answer the users, by way of a canary if there is to be one. Raises LoopFailed."""
        asked: dict[str, Any] = {"model": self._model, "version": version, "reason": reason}
        asked |= {"way": canary.way, "override": override}
        while (found := await self._get(version)).state not in _ENDINGS:
            if found.state is State.CANARY:
                await self._wait(version, canary.most_seconds)
                if (await self._get(version)).state is State.CANARY:
                    late = f"{reason}; as a canary nothing spoke against it for that long"
                    await server.call("POST", "/admin/promotions", asked | {"reason": late})
            elif canary.share:
                split = {"canary": canary.share, "canary_requests": canary.requests}
                await server.call("POST", "/admin/promotions", asked | split)
            else:
                await server.call("POST", "/admin/promotions", asked)
        outcome = _ENDINGS[found.state]
        report = await self._report(found) if outcome == "live" else {}
        return Promoted(outcome=outcome, replaces=found.predecessor, report=report)

    async def _wait(self, version: str, seconds: float) -> None:
        """Until the canary is decided, or that long."""
        for _ in range(max(1, int(seconds / POLL_SECONDS))):
            await asyncio.sleep(POLL_SECONDS)
            if (await self._get(version)).state is not State.CANARY:
                return

    async def _report(self, found: Version) -> Mapping[str, Any]:
        """The swap's, from the history: with how the requests under way ended, once they have."""
        for _ in range(int(REPORT_SECONDS / POLL_SECONDS)):
            old = found.predecessor and await self._get(found.predecessor)
            if not old or old.state is not State.DRAINING:
                break
            await asyncio.sleep(POLL_SECONDS)
        rows = await _called(lambda: self._catalog.history(self._model))
        swaps = [
            (row.to_state, row.evidence["swap"])
            for row in rows
            if row.evidence.get("swap", {}).get("plan", {}).get("version") == found.version
        ]
        canary = [swap for state, swap in swaps if state is State.CANARY]
        report = dict(swaps[-1][1]) if swaps else {}
        return report | ({"canary": canary[-1]} if canary else {})

    async def _get(self, version: str) -> Version:
        return await _called(lambda: self._catalog.get(self._model, version))


async def _called(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except ServerError as error:
        raise LoopFailed(f"the catalog of versions: {error}") from error
