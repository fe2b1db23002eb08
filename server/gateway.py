"""The gateway as a running thing: engines up, requests in, everything down in order."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from server.app import build_app
from server.auth import Authenticator
from server.catalog import Catalog
from server.errors import ApiError
from server.exchange import Desk
from server.http_protocol import protocol_with_header_deadline
from server.keys import KeyRing
from server.live_versions import begin_on_live_versions
from server.metering import Meter
from server.metrics import Metrics
from server.promotion import Promotions
from server.pulse import Pulse
from server.served_models import ServedModels
from server.settings import ServerSettings
from server.store import Store
from server.version_catalog import VersionCatalog

log = logging.getLogger(__name__)


class Gateway:
    """All parts of one server process, from settings."""

    def __init__(self, settings: ServerSettings, *, home: Path, version: str) -> None:
        """Open the database and check the models; starts nothing.

        Raises ModelError and StoreError.
        """
        self.settings = settings
        self.metrics = Metrics()
        self.store = Store(f"sqlite:///{home / 'codeloop.db'}")
        self.keys = KeyRing(self.store)
        served = ServedModels(
            settings,
            home=home,
            on_restart=lambda name: self.metrics.engine_restarts.labels(name).inc(),
        )
        self.catalog = Catalog([served.make(model) for model in settings.models])
        self._desk = Desk(
            meter=Meter(self.store),
            metrics=self.metrics,
            pulse=Pulse(settings.keep_alive_seconds),
        )
        self._versions = VersionCatalog(self.store, home / "versions")
        self._promotions = Promotions(self.catalog, self._versions, self._desk)
        self.app: FastAPI = build_app(
            settings,
            catalog=self.catalog,
            authenticator=Authenticator(self.keys),
            desk=self._desk,
            promotions=self._promotions,
            version=version,
        )

    async def run(self, server: "GatewayServer", on_ready: Callable[[int], None]) -> None:
        """Listen at once, start the engines, serve until a signal, stop the engines.

        Until an engine is ready its requests are answered 503, and the probes tell them apart.
        on_ready: called with the port when every engine has generated. Raises EngineStartError and VersionError.
        """
        serving = asyncio.create_task(server.serve())
        starting = asyncio.create_task(self._start_engines())
        try:
            await asyncio.wait((serving, server.port), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((serving, starting), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                on_ready(server.port.result())
            await serving
        finally:
            starting.cancel()
            server.should_exit = True
            await asyncio.gather(serving, starting, return_exceptions=True)
            await self._stop_engines()

    async def _start_engines(self) -> None:
        await asyncio.to_thread(begin_on_live_versions, self.catalog, self._versions)
        await self._promotions.refresh()
        # One after the other: two vLLM engines measuring free memory at once mislead each other.
        for model in self.catalog.models:
            await model.engine.start()

    async def _stop_engines(self) -> None:
        await self._promotions.stop()
        await asyncio.gather(*(engine.stop(drain_seconds=0) for engine in self.catalog.engines()))
        self.store.close()

    def server(self) -> "GatewayServer":
        """A server for the app; `await server.serve()` runs until a signal."""
        settings = self.settings
        config = uvicorn.Config(
            self.app,
            host=settings.host,
            port=settings.port,
            http=protocol_with_header_deadline(settings.header_seconds),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            backlog=4096,
            timeout_keep_alive=75,  # longer than the 60 s of common load balancers
            ssl_certfile=settings.tls.certificate if settings.tls else None,
            ssl_keyfile=settings.tls.private_key if settings.tls else None,
        )
        return GatewayServer(config, self._desk, settings.drain_seconds)


class GatewayServer(uvicorn.Server):
    """A uvicorn server that drains: on SIGTERM it stops listening and lets answers end."""

    def __init__(self, config: uvicorn.Config, desk: Desk, drain_seconds: float) -> None:
        super().__init__(config)
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._desk = desk
        self._drain_seconds = drain_seconds

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on SIGTERM and SIGINT.

        uvicorn's own would raise the signal again at the end, and the process would die of it
        before its engines are stopped.
        """
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.port.set_result(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: Any = None) -> None:
        log.info("draining", extra={"seconds": self._drain_seconds, "live": len(self._desk.live)})
        too_late = ApiError(
            503,
            "The server is shutting down; send the request again.",
            kind="server_error",
            code="shutting_down",
            retry_after_seconds=5,
        )
        end = asyncio.get_running_loop().call_later(
            self._drain_seconds, self._desk.end_all, too_late
        )
        try:
            await super().shutdown(sockets)
        finally:
            end.cancel()
