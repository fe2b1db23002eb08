"""What every engine child process has in common: its lifeline, its socket, its control routes.

The supervisor (`engine_process`) starts a child in a session of its own and keeps the write end
of a pipe, the lifeline. When the supervisor ends, however it ends, the kernel closes the pipe
and the child takes its whole process group down with it: no orphan keeps a GPU busy.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvicorn

ABORT_PATH = "/codeloop/abort/"
"""POST {ABORT_PATH}{request_id}: stop the request, answer its token counts, 404 if unknown."""
HEALTH_PATH = "/health"

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]


def child_arguments(description: str) -> argparse.ArgumentParser:
    """The parser for the flags that the supervisor passes to any child."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--socket", default="", help="unix socket to listen on")
    parser.add_argument("--port", type=int, default=0, help="loopback port, to try it alone")
    parser.add_argument("--lifeline", type=int, default=-1, help="closes with the parent")
    return parser


def hold_lifeline(descriptor: int) -> None:
    """Watch the lifeline from a thread; when it closes, kill the whole process group.

    A thread, because the event loop may be busy or blocked when the parent dies. SIGKILL, because
    the engine's own grandchildren ignore gentler signals while they compute.
    """
    if descriptor < 0:
        return
    os.set_inheritable(descriptor, False)

    def wait_for_end_of_parent() -> None:
        while os.read(descriptor, 1):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=wait_for_end_of_parent, name="lifeline", daemon=True).start()


class ChildServer(uvicorn.Server):
    """A uvicorn server that ends on SIGTERM and ignores SIGINT.

    Ctrl-C reaches the whole foreground group of a terminal; only the gateway may decide on it.
    """

    def handle_exit(self, sig: int, frame: Any) -> None:
        if sig != signal.SIGINT:
            super().handle_exit(sig, frame)


def listen(app: ASGIApp, arguments: argparse.Namespace) -> ChildServer:
    """A server for `app` on the socket or port that the arguments name, not yet started."""
    where: dict[str, Any] = (
        {"uds": arguments.socket}
        if arguments.socket
        else {"host": "127.0.0.1", "port": arguments.port}
    )
    config = uvicorn.Config(
        app,
        **where,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        # The gateway holds its connections open; it must be the one that closes them.
        timeout_keep_alive=3600,
        timeout_graceful_shutdown=5,
        backlog=4096,
    )
    return ChildServer(config)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a child to its end; on uvloop where it is installed."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)
