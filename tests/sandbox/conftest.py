"""Sandboxes for the tests: opened once a session, because tests must not need a fresh one."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import IsolationUnavailable
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings

DAEMON_SECONDS = 60.0


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
