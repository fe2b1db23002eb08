"""Versions made live, tried as a canary, and taken back: one at a time a model.

Promises: a version goes live only when it verified, passed the gate (or a person overrode that under
their name), was loaded and probed; the catalog is written before names change their meaning; whatever
fails leaves the version before answering; each transition has its evidence in the catalog.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from server.canary import CanaryWatch
from server.canary_runs import CanaryRuns
from server.catalog import Catalog, ServedModel
from server.errors import (
    ApiError,
    NoPreviousVersion,
    ServerError,
)
from server.exchange import Desk
from server.gate_evidence import GateVerdict
from server.guard import Guards
from server.promotion_facts import state_of
from server.promotion_wish import Wish, override_gate, promotable, take_verdict
from server.swap_plan import SwapPlan
from server.swap_report import SwapReport
from server.swaps import Swap
from server.version_catalog import VersionCatalog
from server.version_in_use import in_use
from server.version_record import Version
from server.version_states import State
from server.version_swap import VersionSwap

log = logging.getLogger(__name__)

AUTOMATIC = "server"

Result = TypeVar("Result")


class Promotions:
    """All promotions of one server."""

    def __init__(self, catalog: Catalog, versions: VersionCatalog, desk: Desk) -> None:
        self._catalog = catalog
        self._versions = versions
        self._swap = VersionSwap(catalog, versions, desk)
        self._canaries = CanaryRuns(catalog, versions, self._swap.retirement, self._act_on)
        self._locks: dict[str, asyncio.Lock] = {}
        self._guards = Guards(catalog, self._take_back)
        self._asked: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def plan(self, wish: Wish) -> SwapPlan:
        """How it would go; nothing is touched. Raises VersionError, ProbeFailed, ApiError."""
        model = self._served(wish.model)
        found = await asyncio.to_thread(promotable, self._versions, wish)
        return (await self._planned(model, found, wish))[0]

    async def promote(self, wish: Wish) -> SwapReport:
        """Make it live, or the canary. Raises VersionError, ModelError, EngineError, ApiError."""
        with self._first(wish.model):
            return await self._to_the_end(wish.model, self._promote(wish))

    async def roll_back(self, model: str, *, actor: str, reason: str) -> SwapReport:
        """Let the previous version answer again. Raises NoPreviousVersion and as `promote` does."""
        with self._first(model):
            return await self._to_the_end(model, self._roll_back(model, actor, reason))

    async def withdraw(self, model: str, *, actor: str, reason: str) -> Version:
        """End a canary without a decision. Raises NoPreviousVersion when there is none."""
        with self._first(model):
            canary = self._catalog.canary(model)
            if canary is None:
                raise NoPreviousVersion(f"{model} has no canary: there is nothing to withdraw")
            version = canary.model.versions.weights.version
            ending = self._canaries.end(model, version, State.GATED, actor, reason, {})
            found = await self._to_the_end(model, ending)
        await self._swap.refresh()
        return found

    async def gate(self, model: str, version: str, verdict: GateVerdict, *, actor: str) -> Version:
        """Take a verdict as evidence: passed → gated, failed → rejected, inconclusive → as it was."""
        found = await asyncio.to_thread(
            take_verdict, self._versions, model, version, verdict, actor
        )
        await self._swap.refresh()
        return found

    def state(self, model: str) -> dict[str, Any]:
        """What answers, what is tried, what is under way."""
        return state_of(
            self._catalog,
            model,
            draining=self._swap.retirement.draining(model),
            is_under_way=self._lock(model).locked(),
            report=self._swap.reports.get(model),
        )

    async def refresh(self) -> None:
        """Read again what /v1/models says of versions."""
        await self._swap.refresh()

    async def stop(self) -> None:
        """End what is under way, for the end of the server; the catalog has what was decided."""
        tasks = [
            *self._tasks,
            *self._canaries.tasks,
            *self._guards.tasks,
            *self._swap.retirement.tasks,
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # One at a time.

    def _lock(self, model: str) -> asyncio.Lock:
        return self._locks.setdefault(model, asyncio.Lock())

    @contextmanager
    def _first(self, name: str) -> Iterator[None]:
        """Nothing else that somebody asked for is under way. Raises ApiError 409."""
        model = self._served(name).name
        if model in self._asked or self._lock(model).locked():
            raise ApiError(
                409,
                f"A promotion or roll-back of {model!r} is under way already: look at GET"
                " /admin/promotions, and ask again when it has ended.",
                code="promotion_in_progress",
            )
        self._asked.add(model)
        try:
            yield
        finally:
            self._asked.discard(model)

    async def _to_the_end(self, model: str, work: Awaitable[Result]) -> Result:
        """A caller that goes away leaves nothing half done."""

        async def alone() -> Result:
            async with self._lock(model):
                return await work

        task = asyncio.create_task(alone())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    # What is asked for.

    async def _promote(self, wish: Wish) -> SwapReport:
        model = self._served(wish.model)
        found = await asyncio.to_thread(promotable, self._versions, wish)
        async with in_use(self._versions, found, on_reject=self._swap.refresh):
            plan, swap = await self._planned(model, found, wish)
            if found.state is State.VERIFIED:
                await asyncio.to_thread(override_gate, self._versions, found, wish)
            write = partial(self._write, found, plan, wish)
            if wish.split is None:
                report = await self._swap.go_live(found, plan, swap, write)
                self._guards.begin(found)
                return report
            report = await self._swap.stand_beside(found, plan, swap, write)
            self._canaries.begin(found, swap.served, wish.split, wish.least_requests)
            await self._swap.refresh()
            return report

    async def _roll_back(
        self,
        model: str,
        actor: str,
        reason: str,
        *,
        old_becomes: State = State.RETIRED,
        evidence: Mapping[str, Any] = MappingProxyType({}),
    ) -> SwapReport:
        served = self._served(model)
        found = await asyncio.to_thread(self._versions.previous, model)
        if found is None:
            raise NoPreviousVersion(
                f"{model} has no previous version to roll back to: nothing was promoted over another"
                " that is still here; promote one by name"
            )
        async with in_use(self._versions, found, on_reject=self._swap.refresh):
            wish = Wish(model=model, version=found.version, actor=actor, reason=reason)
            plan, swap = await self._planned(served, found, wish)

            def write(report: SwapReport) -> object:
                return self._versions.roll_back(
                    model,
                    replaces=plan.replaces,
                    actor=actor,
                    reason=reason,
                    evidence={"swap": report.as_data(), **evidence},
                )

            self._guards.end(model)
            return await self._swap.go_live(found, plan, swap, write, old_becomes=old_becomes)

    def _write(self, found: Version, plan: SwapPlan, wish: Wish, report: SwapReport) -> object:
        evidence = {"swap": report.as_data(), **wish.evidence}
        if wish.split is None:
            return self._versions.promote(
                found.model,
                found.version,
                replaces=plan.replaces,
                actor=wish.actor,
                reason=wish.reason,
                evidence=evidence,
            )
        evidence["canary"] = {
            "share": wish.split.share,
            "keys": sorted(wish.split.key_prefixes),
            "least_requests": wish.least_requests,
        }
        return self._versions.advance(
            found.model,
            found.version,
            State.CANARY,
            actor=wish.actor,
            reason=wish.reason,
            evidence=evidence,
        )

    async def _planned(
        self, model: ServedModel, found: Version, wish: Wish
    ) -> tuple[SwapPlan, Swap]:
        needs_both = wish.split is not None
        return await self._swap.plan(model, found, wish.way, needs_both=needs_both)

    def _served(self, name: str) -> ServedModel:
        """A model that users may have. Raises ApiError."""
        model = self._catalog.find(name)
        if model.role == "sampler" or model.parent:
            raise ApiError(
                400,
                f"{name[:200]!r} is not served to users: promotions are for models with role ="
                ' "serving"; a sampler takes weights from its trainer by POST /admin/weights.',
                code="invalid_value",
                param="model",
            )
        return model

    # What the server decides by itself.

    async def _take_back(self, found: Version, watch: CanaryWatch) -> None:
        async with self._lock(found.model):
            live = await asyncio.to_thread(self._versions.live, found.model)
            if live is None or live.version != found.version:
                return  # somebody was faster
            try:
                await self._roll_back(
                    found.model,
                    AUTOMATIC,
                    "; ".join(watch.reasons),
                    old_becomes=State.REJECTED,
                    evidence={"guard": watch.as_data()},
                )
            except ServerError:
                log.exception("%s fails and could not be rolled back", found.name)

    async def _act_on(self, found: Version, watch: CanaryWatch) -> None:
        """What a canary's comparison decided."""
        evidence = {"canary": watch.as_data()}
        async with self._lock(found.model):
            now = await asyncio.to_thread(self._versions.get, found.model, found.version)
            if now.state is not State.CANARY:
                return  # somebody was faster
            if watch.answer == "regresses":
                await self._canaries.end(
                    found.model,
                    found.version,
                    State.REJECTED,
                    AUTOMATIC,
                    "; ".join(watch.reasons),
                    evidence,
                )
            else:
                await self._promote_canary(now, watch, evidence)
            await self._swap.refresh()

    async def _promote_canary(
        self, found: Version, watch: CanaryWatch, evidence: Mapping[str, Any]
    ) -> None:
        wish = Wish(
            model=found.model,
            version=found.version,
            actor=AUTOMATIC,
            reason=f"the canary held over {watch.arms['canary'].num} answers",
            evidence=evidence,
        )
        try:
            await self._promote(wish)
        except ServerError as error:
            log.exception("the canary %s could not be promoted", found.name)
            await self._canaries.end(
                found.model, found.version, State.GATED, AUTOMATIC, str(error), evidence
            )
