"""The gateway as a running thing: engines up, requests in, everything down in order."""

import asyncio
import logging
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from server.app import build_app
from server.auth import Authenticator
from server.catalog import Catalog, ServedModel
from server.engine import Engine
from server.engine_process import EngineProcess
from server.errors import ApiError, DoesNotFit
from server.exchange import Desk
from server.families import Family
from server.http_protocol import protocol_with_header_deadline
from server.keys import KeyRing
from server.lanes import Admission
from server.metering import Meter
from server.metrics import Metrics
from server.model_folder import check_folder
from server.model_store import ModelStore
from server.pulse import Pulse
from server.scripted_engine import scripted_command, scripted_family
from server.settings import LANES, ModelSettings, ServerSettings
from server.store import Store
from server.vllm_engine import vllm_command

log = logging.getLogger(__name__)

DEFAULT_CONTEXT_TOKENS = 8192


def has_gpu() -> bool:
    """Whether an NVIDIA driver is at hand; asked without importing torch."""
    return shutil.which("nvidia-smi") is not None and Path("/dev/nvidiactl").exists()


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
        self._home = home
        self.catalog = Catalog([self._served(model) for model in settings.models])
        self._desk = Desk(
            meter=Meter(self.store),
            metrics=self.metrics,
            pulse=Pulse(settings.keep_alive_seconds),
        )
        self.app: FastAPI = build_app(
            settings,
            catalog=self.catalog,
            authenticator=Authenticator(self.keys),
            desk=self._desk,
            version=version,
        )

    async def run(self, server: "GatewayServer", on_ready: Callable[[int], None]) -> None:
        """Listen at once, start the engines, serve until a signal, stop the engines.

        Until an engine is ready its requests are answered 503, and the probes tell them apart.
        on_ready: called with the port when every engine has generated. Raises EngineStartError.
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
        # One after the other: two vLLM engines measuring free memory at once mislead each other.
        for model in self.catalog.models:
            await model.engine.start()

    async def _stop_engines(self) -> None:
        await asyncio.gather(*(model.engine.stop(drain_seconds=0) for model in self.catalog.models))
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

    def _served(self, model: ModelSettings) -> ServedModel:
        lanes = {lane: getattr(self.settings.lanes, lane) for lane in LANES}
        root, family, context_tokens, has_chat_template, engine = self._engine(model)
        return ServedModel(
            name=model.name,
            aliases=model.aliases,
            root=root,
            family=family,
            max_model_len=context_tokens,
            has_chat_template=has_chat_template,
            engine=engine,
            admission=Admission(model.concurrency, lanes),
        )

    def _engine(self, model: ModelSettings) -> tuple[str, Family, int, bool, Engine]:
        if model.engine == "scripted":
            context_tokens = model.context_tokens or DEFAULT_CONTEXT_TOKENS
            command = scripted_command(model, context_tokens=context_tokens)
            return (
                "scripted",
                scripted_family(),
                context_tokens,
                True,
                self._process(model, command),
            )
        folder = ModelStore(self._home / "models").resolve(model.source or model.name, pull=True)
        facts = check_folder(folder)
        context_tokens = choose_context(model, facts.family, facts.max_context_tokens)
        command = vllm_command(
            model,
            folder=folder,
            family=facts.family,
            context_tokens=context_tokens,
            has_gpu=has_gpu(),
        )
        process = self._process(model, command)
        return str(folder), facts.family, context_tokens, facts.has_chat_template, process

    def _process(self, model: ModelSettings, command: Any) -> EngineProcess:
        return EngineProcess(
            model.name,
            command,
            start_seconds=self.settings.start_seconds,
            log_path=self._home / "logs" / f"engine-{model.name.replace('/', '_')}.log",
            on_restart=lambda name: self.metrics.engine_restarts.labels(name).inc(),
        )


def choose_context(model: ModelSettings, family: Family, most_tokens: int) -> int:
    """The context length to serve. Raises DoesNotFit when more is asked than the model has."""
    if model.context_tokens is None:
        return min(family.default_context_tokens or most_tokens, most_tokens)
    if model.context_tokens > most_tokens:
        raise DoesNotFit(
            f"server.models {model.name!r}: context_tokens is {model.context_tokens}, but the model"
            f" reads at most {most_tokens}; lower it or drop it"
        )
    return model.context_tokens


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
