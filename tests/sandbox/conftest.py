"""Sandboxes for the tests, opened once a session, because tests must not need a fresh one; and nodes."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.errors import IsolationUnavailable, SandboxError
from sandbox.node import NodeServer
from sandbox.outcome import Outcome, Verdict
from sandbox.program import Limits, Program
from sandbox.sandbox import Sandbox
from sandbox.settings import NodeSettings, SandboxSettings

DAEMON_SECONDS = 60.0
NODE_SECONDS = 30.0


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> SandboxSettings:
    """The defaults, with a cache of their own."""
    return SandboxSettings(workers=2, cache=str(tmp_path_factory.mktemp("compiled")))


@pytest.fixture(scope="session")
def sandbox(settings: SandboxSettings) -> Iterator[Sandbox]:
    """The strongest isolation that this machine has."""
    try:
        opened = Sandbox(settings)
    except IsolationUnavailable as error:
        pytest.skip(f"no isolation here: {error}")
    with opened:
        yield opened


@pytest.fixture(scope="session")
def docker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Docker daemon of our own, on a socket of its own; skips where there can be none."""
    if os.getuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("no dockerd here, or not root: Debian has it as docker.io")
    folder = tmp_path_factory.mktemp("docker")
    url = f"unix://{folder}/docker.sock"
    log = folder / "log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            ["dockerd", "--data-root", folder / "root", "--exec-root", folder / "exec", "-H", url,
             "-p", folder / "pid", "--bridge=none", "--iptables=false", "--ip-forward=false",
             "--ip-masq=false", "--storage-driver=vfs"],
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        if not _answers(folder / "docker.sock", daemon):
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            pytest.skip(f"dockerd does not start here: {last}")
        yield url
    finally:
        daemon.terminate()
        daemon.wait(timeout=DAEMON_SECONDS)


def _answers(path: Path, daemon: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + DAEMON_SECONDS
    while time.monotonic() < deadline and daemon.poll() is None:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1.0)
            try:
                client.connect(str(path))
                client.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                if b"200 OK" in client.recv(4096):
                    return True
            except OSError:
                time.sleep(0.2)  # its start has no event that we could wait for
    return False


class Stub:
    """A sandbox whose programs end when the test says so, or fail as it says."""

    def __init__(self, *, num_workers: int = 1, fault: SandboxError | None = None) -> None:
        self.num_workers = num_workers
        self.description = "stub"
        self.fault = fault
        self.begun = threading.Semaphore(0)
        self.ended = threading.Event()
        self.cancelled = threading.Semaphore(0)

    async def run_async(self, program: Program, limits: Limits | None = None) -> Outcome:
        if self.fault is not None:
            raise self.fault
        self.begun.release()
        try:
            while not self.ended.is_set():
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.cancelled.release()
            raise
        return Outcome(verdict=Verdict.OK, stdout=program.stdin)


class Node:
    """A node that serves in a thread of its own."""

    def __init__(self, sandbox: Any, **settings: Any) -> None:
        self._ready = threading.Event()
        node = NodeSettings(port=0, **settings)
        self.server = NodeServer(sandbox, node, on_ready=lambda port: self._ready.set())
        self.url = f"http://127.0.0.1:{self.server.port}"
        self._thread = threading.Thread(target=self.server.serve_until_stopped)
        self._thread.start()
        assert self._ready.wait(NODE_SECONDS)

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=NODE_SECONDS, trust_env=False
        )

    def stop(self, *, at_once: bool = False) -> None:
        """at_once: as a killed node does it, with its connections cut."""
        self.server.force_exit = at_once
        self.server.stop()
        self._thread.join(NODE_SECONDS)
        assert not self._thread.is_alive()


@pytest.fixture
def node_of() -> Iterator[Callable[..., Node]]:
    """Start a node over a sandbox under further NodeSettings."""
    with contextlib.ExitStack() as stack:

        def start(sandbox: Any, **settings: Any) -> Node:
            node = Node(sandbox, **settings)
            stack.callback(node.stop, at_once=True)
            return node

        yield start


@pytest.fixture
def stub_of() -> Callable[..., Stub]:
    """Make a `Stub`."""
    return Stub
