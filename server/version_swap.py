"""One version put in the place of another: planned, prepared, written into the catalog, committed."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from server.catalog import Catalog, ServedModel
from server.exchange import Desk, Ending, Exchange
from server.live_versions import loadout
from server.promotion_facts import facts_for, loaded_as_target, provenance_of, same_weights
from server.retirement import Leaving, Retirement
from server.swap_plan import AskedWay, Loadout, SwapPlan, plan_swap
from server.swap_report import SwapReport
from server.swaps import BesideBase, BlueGreen, Flip, InPlace, Swap
from server.version_catalog import VersionCatalog
from server.version_check import check_listing
from server.version_probe import probe_version, recorded_probes
from server.version_record import BASE_VERSION, Version
from server.version_states import State

log = logging.getLogger(__name__)


class VersionSwap:
    """The swaps of all models of a catalog; callers see to it that there is one at a time a model."""

    def __init__(self, catalog: Catalog, versions: VersionCatalog, desk: Desk) -> None:
        self._catalog = catalog
        self._versions = versions
        self._desk = desk
        self.retirement = Retirement(catalog, versions, desk)
        self.reports: dict[str, SwapReport] = {}

    async def plan(
        self, model: ServedModel, found: Version, asked: AskedWay, *, needs_both: bool
    ) -> tuple[SwapPlan, Swap]:
        """The way and what goes it; nothing is touched.

        Raises PlanImpossible, ProbeFailed, and VersionRefused for a folder that got other files since.
        """
        if found.kind != "base":
            await asyncio.to_thread(check_listing, found.folder)
        target = await asyncio.to_thread(loadout, self._versions, found)
        live = await asyncio.to_thread(self._versions.live, found.model)
        facts = await asyncio.to_thread(
            partial(
                facts_for,
                self._catalog,
                model,
                target,
                live=live.version if live else None,
                draining=self.retirement.draining(found.model),
            )
        )
        probes = recorded_probes(found)
        if probes and (other := same_weights(self._catalog, model, found)):
            await probe_version(other.engine, other.name, found, probes)
            facts = replace(facts, probed_on=other.name)
        plan = plan_swap(facts, asked, needs_both=needs_both)
        return plan, await self._swap(plan, model, target)

    async def _swap(self, plan: SwapPlan, model: ServedModel, target: Loadout) -> Swap:
        probes = recorded_probes(target.version)
        if plan.way == "flip":
            served = loaded_as_target(self._catalog, model, target.version)
            assert served is not None
            if served.parent:
                served = replace(served, role=model.role, base=served.base or model)
            return Flip(self._catalog, served, target, probes)
        if plan.way == "adapter":
            return BesideBase(self._catalog, model, target, probes)
        if plan.way == "blue_green":
            return BlueGreen(self._catalog, model, target, probes)
        return InPlace(
            self._catalog,
            model,
            target,
            probes,
            desk=self._desk,
            is_drained=plan.under_way == "drained",
            before=await asyncio.to_thread(self._before, model),
        )

    def _before(self, model: ServedModel) -> Loadout | None:
        """What the engine has now, as the catalog knows it."""
        version = model.versions.weights.version
        known = {each.version: each for each in self._versions.versions(model.name)}
        full = known.get(version) or known.get(BASE_VERSION)
        return Loadout(full=full) if full else None

    async def go_live(
        self,
        found: Version,
        plan: SwapPlan,
        swap: Swap,
        write: Callable[[SwapReport], object],
        *,
        old_becomes: State = State.RETIRED,
    ) -> SwapReport:
        """Prepare, `write` into the catalog (blocks, may raise), commit. The old one goes by itself."""
        began = time.monotonic()
        revived = self.retirement.revive(found.model, found.version)
        try:
            # In place, answers under way are those at the swap; else those until names change.
            under_way = self._under_way(self._catalog.live(found.model))
            report = await self._prepared(plan, swap, began)
            try:
                await asyncio.to_thread(write, report)
            except BaseException:
                await swap.abort()
                raise
        except BaseException:
            if revived:
                self.retirement.begin(revived)
            raise
        old = self._catalog.live(found.model)
        if plan.way != "in_place":
            under_way = self._under_way(old)
        canary = self._catalog.canary(found.model)
        if canary and canary.model.versions.weights.version == found.version:
            self._catalog.set_canary(found.model, None)
        swap.commit()
        report = replace(
            report, total_seconds=time.monotonic() - began, num_under_way=len(under_way)
        )
        self.reports[found.model] = report
        log.info("%s is live by %s", found.name, plan.way)
        self._let_go(report, None if plan.way == "in_place" else old, under_way, old_becomes)
        await self.refresh()
        return report

    async def stand_beside(
        self, found: Version, plan: SwapPlan, swap: Swap, write: Callable[[SwapReport], object]
    ) -> SwapReport:
        """Prepare and `write`; the caller decides whom it answers."""
        began = time.monotonic()
        report = await self._prepared(plan, swap, began)
        try:
            await asyncio.to_thread(write, report)
        except BaseException:
            await swap.abort()
            raise
        report = replace(report, total_seconds=time.monotonic() - began, requests=())
        self.reports[found.model] = report
        return report

    async def refresh(self) -> None:
        """Read again what /v1/models says of versions."""
        self._catalog.provenance = await asyncio.to_thread(provenance_of, self._versions)

    async def _prepared(self, plan: SwapPlan, swap: Swap, began: float) -> SwapReport:
        if plan.way in ("adapter", "in_place"):
            num_kept = 0 if plan.way == "in_place" else None
            await self.retirement.make_room(self._catalog.find(plan.model), num_kept=num_kept)
        prepared = await swap.prepare()
        return SwapReport(
            plan=plan,
            prepared=prepared,
            total_seconds=time.monotonic() - began,
            num_under_way=0,
        )

    def _under_way(self, served: ServedModel) -> frozenset[Exchange]:
        return frozenset(
            each for each in self._desk.live if each.is_in_engine and each.model is served
        )

    def _let_go(
        self,
        report: SwapReport,
        old: ServedModel | None,
        under_way: frozenset[Exchange],
        becomes: State,
    ) -> None:
        plan = report.plan
        if plan.replaces is None:
            return

        def on_end(endings: list[Ending]) -> Mapping[str, Any]:
            final = report.with_requests(endings)
            if self.reports.get(plan.model) is report:
                self.reports[plan.model] = final
            return {"swap": final.as_data()}

        self.retirement.begin(
            Leaving(
                model=plan.model,
                version=plan.replaces,
                served=old,
                under_way=under_way,
                becomes=becomes,
                on_end=on_end,
            )
        )
