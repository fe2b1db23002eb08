"""The servers under test, each in processes of its own: a bare scripted engine, and a gateway."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType

from benchmarks.load import Endpoint
from deploy.launch import Launched, launch

SCRIPTED = "scripted"
"""Name of the engine that needs no model, where a benchmark takes --model."""

START_SECONDS = 60.0
WHOLE_CHAT_LANE = (
    "lanes.chat = { share = 1.0, queue = 4096, queue_seconds = 60, request_seconds = 1800 }"
)
"""For measurements that are not about lanes: the one lane may use all slots."""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def child_server(
    command: Sequence[str],
    *,
    probe_url: str,
    log_path: Path,
    start_seconds: float = START_SECONDS,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, from the moment `probe_url` answers until the end of the `with`."""
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **environment}
        )
    try:
        deadline = time.monotonic() + start_seconds
        while not _answers(probe_url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start:\n{log_path.read_text()[-3000:]}")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def scripted_engine(script: str = "") -> Iterator[Endpoint]:
    """The scripted engine alone, on a loopback port; `script` is TOML."""
    with tempfile.TemporaryDirectory(prefix="codeloop-benchmark-") as folder:
        path = Path(folder, "script.toml")
        path.write_text(script)
        port = free_port()
        command = [sys.executable, "-m", "server.scripted_engine", "--port", str(port)]
        with child_server(
            [*command, "--script", str(path)],
            probe_url=f"http://127.0.0.1:{port}/health",
            log_path=Path(folder, "engine.log"),
        ):
            yield Endpoint(base_url=f"http://127.0.0.1:{port}")


@contextmanager
def scripted_gateway(script: str = "", *, model: str = "", server: str = "") -> Iterator[Launched]:
    """A gateway over its own scripted engine; `model` and `server` are lines for their tables."""
    with tempfile.TemporaryDirectory(prefix="codeloop-benchmark-") as folder:
        path = Path(folder, "script.toml")
        path.write_text(script)
        settings = (
            f"[server]\n{server}\n[[server.models]]\nname = 'scripted'\nengine = 'scripted'\n"
            f"script = '{path}'\n{model}\n"
        )
        with launch(Path(folder, "home"), settings=settings) as launched:
            yield launched


@contextmanager
def model_gateway(name: str, *, model: str = "", server: str = "") -> Iterator[Launched]:
    """A gateway over the real engine, with the models of the standard store."""
    with tempfile.TemporaryDirectory(prefix="codeloop-benchmark-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        store = Path.home() / ".local/share/codeloop/models"
        store.mkdir(parents=True, exist_ok=True)
        (home / "models").symlink_to(store)
        settings = f"[server]\n{server}\n[[server.models]]\nname = '{name}'\n{model}\n"
        with launch(home, settings=settings, start_seconds=900) as launched:
            yield launched


def gateway_over(
    name: str, script: str, *, model: str = "", server: str = ""
) -> AbstractContextManager[Launched]:
    """A gateway over the scripted engine where that is the name, else over the real engine."""
    if name == SCRIPTED:
        return scripted_gateway(script, model=model, server=server)
    return model_gateway(name, model=model, server=server)


def through(launched: Launched, *, lane: str = "") -> Endpoint:
    """The gateway as a client sees it."""
    headers = {"authorization": f"Bearer {launched.key}"}
    if lane:
        headers["x-codeloop-lane"] = lane
    return Endpoint(base_url=launched.base_url, headers=headers)


def behind(launched: Launched) -> Endpoint:
    """The gateway's own engine, past the gateway: its unix socket."""
    (pid,) = launched.engine_pids()
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return Endpoint(socket=arguments[arguments.index(b"--socket") + 1].decode())


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
