"""A version put into an engine in each of the ways: prepared, then committed or taken back.

`prepare` raises and leaves everything as it was. `commit` awaits nothing: one moment names mean the old
version, the next the new one. `abort` is for a prepared swap that is not to be committed.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from server.adapter_folder import verify_adapter
from server.blue_green import STOP_SECONDS, start_second
from server.catalog import Catalog, ServedModel, adapter_name
from server.errors import EngineError, ServerError, UpdateFailed, VersionRefused
from server.exchange import Desk
from server.served_versions import (
    add_serving_adapter,
    loaded_as,
    make_live,
    serving_adapter,
    weights_of,
)
from server.swap_plan import Loadout
from server.swap_report import Prepared
from server.version_check import LARGEST_RANK
from server.version_probe import ProbeReport, Recorded, probe_version
from server.version_record import Version
from server.versions import Versions

log = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0
"""Longest that new requests wait at the door; shorter than the chat lane's own patience."""


class Swap(Protocol):
    """One way. served: what answers as the version; there once it is prepared."""

    served: ServedModel

    async def prepare(self) -> Prepared: ...
    def commit(self) -> None: ...
    async def abort(self) -> None: ...


class Flip:
    """To what is loaded already."""

    def __init__(
        self, catalog: Catalog, served: ServedModel, target: Loadout, probes: Sequence[Recorded]
    ) -> None:
        self._catalog = catalog
        self._target = target
        self._probes = probes
        self.served = served

    async def prepare(self) -> Prepared:
        version = self._target.version
        found = self.served.versions.weights.digest
        _need_digest(version, found)
        probe = await probe_version(self.served.engine, self.served.name, version, self._probes)
        return _prepared(version, found, probe)

    def commit(self) -> None:
        make_live(self._catalog, self.served)

    async def abort(self) -> None:
        pass


class BesideBase:
    """An adapter loaded on the weights that the engine has."""

    def __init__(
        self, catalog: Catalog, model: ServedModel, target: Loadout, probes: Sequence[Recorded]
    ) -> None:
        self._catalog = catalog
        self._target = target
        self._probes = probes
        self.served = model

    async def prepare(self) -> Prepared:
        version, model = self._target.version, self.served
        name = adapter_name(model, version.version)
        with model.versions.update(version.version):
            facts = await model.engine.load_adapter(name, version.folder)
            try:
                _need_digest(version, facts.digest)
                probe = await probe_version(model.engine, name, version, self._probes)
            except BaseException:
                with suppress(EngineError):
                    await model.engine.unload_adapter(name)
                raise
            self.served = add_serving_adapter(self._catalog, model, version)
        return replace(
            _prepared(version, facts.digest, probe),
            num_bytes=facts.num_bytes,
            verify_seconds=facts.seconds,
        )

    def commit(self) -> None:
        make_live(self._catalog, self.served)

    async def abort(self) -> None:
        self._catalog.remove_adapter(self.served.name)
        with suppress(EngineError):
            await self.served.engine.unload_adapter(self.served.name)


class BlueGreen:
    """On a second engine, that then takes the traffic."""

    def __init__(
        self, catalog: Catalog, model: ServedModel, target: Loadout, probes: Sequence[Recorded]
    ) -> None:
        self._catalog = catalog
        self._target = target
        self._probes = probes
        self._model = model
        self.served = model

    async def prepare(self) -> Prepared:
        began = time.monotonic()
        full, adapter = self._target.full, self._target.adapter
        version, model = self._target.version, self._model
        assert model.second is not None
        name = adapter_name(model, version.version) if adapter else model.name
        digest = await self._verify()
        engine = await start_second(
            model.second,
            version.version,
            weights_of(full),
            {name: loaded_as(adapter)} if adapter else {},
        )
        try:
            probe = await probe_version(engine, name, version, self._probes)
        except BaseException:
            await engine.stop(drain_seconds=0)
            raise
        versions = Versions(model.name, loaded_as(full))
        self.served = replace(model, engine=engine, versions=versions, root=str(full.folder))
        if adapter:
            self.served = serving_adapter(self.served, adapter)
        return replace(_prepared(version, digest, probe), verify_seconds=time.monotonic() - began)

    async def _verify(self) -> str | None:
        """Before an engine is started for it, so that a damaged folder is told from a full machine."""
        version, model = self._target.version, self._model
        if version.kind == "base":
            return None
        found = (
            await asyncio.to_thread(
                verify_adapter, version.folder, self._target.full.folder, most_rank=LARGEST_RANK
            )
            if version.kind == "adapter"
            else await model.engine.verify_weights(version.folder)
        )
        _need_digest(version, found.digest)
        return found.digest

    def commit(self) -> None:
        make_live(self._catalog, self.served)

    async def abort(self) -> None:
        await self.served.engine.stop(drain_seconds=STOP_SECONDS)


class InPlace:
    """Into the engine that answers. is_drained: answers under way end before, not go on after."""

    def __init__(
        self,
        catalog: Catalog,
        model: ServedModel,
        target: Loadout,
        probes: Sequence[Recorded],
        *,
        desk: Desk,
        is_drained: bool,
        before: Loadout | None,
    ) -> None:
        self._catalog = catalog
        self._target = target
        self._probes = probes
        self._desk = desk
        self._is_drained = is_drained
        self._before = before
        self.served = model

    async def prepare(self) -> Prepared:
        version, model = self._target.version, self.served
        with model.versions.update(version.version):
            facts = await model.engine.verify_weights(version.folder)
            if version.kind != "base":
                _need_digest(version, facts.digest)
            began = time.monotonic()
            door = self._catalog.door(model.name)
            try:
                if self._is_drained:
                    door.clear()
                    await self._drain()
                model.versions.begin_swap(version.version)
                report = await model.engine.load_weights(version.folder, version.version)
                model.versions.settle(report.weights)
                probes = self._probes if self._is_drained else ()
                try:
                    probe = await probe_version(model.engine, model.name, version, probes)
                except (ServerError, asyncio.CancelledError):
                    await self._put_back()
                    raise
            finally:
                door.set()
        pause = time.monotonic() - began if self._is_drained else report.pause_seconds
        return replace(
            _prepared(version, facts.digest, probe),
            num_bytes=facts.num_bytes,
            verify_seconds=facts.seconds,
            pause_seconds=pause,
        )

    def commit(self) -> None:
        make_live(self._catalog, self.served)

    async def abort(self) -> None:
        with self.served.versions.update("before"):
            await self._put_back()

    async def _drain(self) -> None:
        """Until no answer is under way. Raises UpdateFailed when that takes too long."""
        under_way = [
            each
            for each in self._desk.live
            if each.is_in_engine and each.model.engine is self.served.engine
        ]
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                for each in under_way:
                    await each.ended.wait()
        except TimeoutError:
            raise UpdateFailed(
                f"answers of {self.served.name} did not end within {DRAIN_SECONDS:g} s, and"
                f" {self._target.version.name} has to be probed before it answers: nothing was changed;"
                " try again when there is less to do, or load it into a sampler first"
            ) from None

    async def _put_back(self) -> None:
        """The version before, or a new process on it; what failed never goes on."""
        model, before = self.served, self._before
        if before is None:
            model.engine.restart_on(None)
            return
        full = before.full
        model.versions.begin_swap(full.version)
        try:
            report = await model.engine.load_weights(full.folder, full.version)
        except ServerError:
            log.exception("%s did not come back; its engine starts anew", full.name)
            model.engine.restart_on(weights_of(full))
            model.versions.settle(loaded_as(full))
        else:
            model.versions.settle(report.weights)


def _prepared(version: Version, digest: str | None, probe: ProbeReport) -> Prepared:
    return Prepared(
        weights_digest=digest,
        expected_digest=version.weights_digest,
        num_bytes=version.num_bytes,
        verify_seconds=0.0,
        pause_seconds=0.0,
        probe=probe,
    )


def _need_digest(version: Version, found: str | None) -> None:
    if version.kind != "base" and found != version.weights_digest:
        raise VersionRefused(
            f"{version.folder} has digest {str(found)[:12]}…, but {version.name} was"
            f" {version.weights_digest[:12]}… when it was published: its files were changed; publish"
            " it again"
        )
