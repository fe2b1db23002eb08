"""A node as a running thing: a sandbox behind a socket until a signal, then everything down in order."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from sandbox.admission import Runner
from sandbox.api import create_app
from sandbox.errors import SandboxError
from sandbox.settings import NodeSettings

DRAIN_SECONDS = 60
"""After SIGTERM, programs that run are let to end for this long; the rest is the clients' to send again."""

KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 s of common load balancers, which must be the ones to close."""

BACKLOG = 4096


class NodeServer(uvicorn.Server):
    """A node that listens from the moment it is made. `run` serves until a signal or `stop`."""

    def __init__(
        self,
        sandbox: Runner,
        settings: NodeSettings,
        *,
        protocol: type[asyncio.Protocol] | None = None,
        on_ready: Callable[[int], None] = lambda port: None,
    ) -> None:
        """protocol: another HTTP protocol than uvicorn's. on_ready: called with the port.

        Raises SandboxError for an open door and for an address that cannot be listened on.
        """
        app = create_app(sandbox, settings)
        self._socket = _listening(settings)
        self._on_ready = on_ready
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol or "auto",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )

    @property
    def port(self) -> int:
        """The port, also where the settings left the choice to the system."""
        port: int = self._socket.getsockname()[1]
        return port

    def serve_until_stopped(self) -> None:
        """Block until SIGTERM, SIGINT or `stop`, and until the answers under way have ended."""
        try:
            self.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Stop listening and let answers end; may be called from any thread."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready(self.port)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on SIGTERM and SIGINT.

        uvicorn's own would raise the signal again at the end, and the process would die of it
        before its sandbox is closed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def _listening(settings: NodeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SandboxError(
            f"sandbox.node.port is {settings.port} on {settings.host}: it cannot be listened on"
            f" ({error.strerror}); stop what uses it, or choose another with --port"
        ) from error
    return listener
