"""A codeloop server in a child process, for the body of a `with`: for tests, benchmarks, scripts.

with launch(home, settings='[[server.models]]\nname = "scripted"\nengine = "scripted"') as server:
    print(server.url, server.key)
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import LaunchError
from server.keys import KeyRing
from server.settings import LANES, SCOPES
from server.store import Store

STOP_SECONDS = 60.0
POLL_SECONDS = 0.05
READY_MARK = "  url   "


@dataclass(frozen=True, kw_only=True)
class Launched:
    """A server that is ready. key: may do everything; in the chat lane unless a header says else."""

    process: subprocess.Popen[bytes]
    base_url: str
    key: str
    home: Path
    log_path: Path

    @property
    def url(self) -> str:
        """What OpenAI clients take as their base URL."""
        return f"{self.base_url}/v1"

    def store(self) -> Store:
        """The server's own database; the caller closes it."""
        return Store(f"sqlite:///{self.home / 'codeloop.db'}")

    def engine_pids(self) -> list[int]:
        """Process ids of the engine children (not of what they start)."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


@contextmanager
def launch(
    home: Path,
    *,
    settings: str = "",
    options: Sequence[str] = (),
    start_seconds: float = 300.0,
) -> Iterator[Launched]:
    """Start `codeloop serve` on a free loopback port; stop it with SIGTERM at the end.

    settings: TOML. options: of `codeloop serve`. Raises LaunchError with the log's end when the
    server does not become ready.
    """
    home.mkdir(parents=True, exist_ok=True)
    config = home / "codeloop.toml"
    config.write_text(settings)
    log_path, out_path = home / "serve.log", home / "serve.out"
    key = _key(home)
    command = [sys.executable, "-m", "deploy", "--config", str(config), "--home", str(home)]
    with log_path.open("ab") as log, out_path.open("wb") as out:
        process = subprocess.Popen(
            [*command, "serve", "--port", "0", *options], stdout=out, stderr=log
        )
    try:
        base_url = _wait_until_ready(process, out_path, log_path, start_seconds)
        yield Launched(process=process, base_url=base_url, key=key, home=home, log_path=log_path)
    finally:
        _stop(process)


def _key(home: Path) -> str:
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    try:
        return KeyRing(store).create("launched", scopes=SCOPES, lanes=("chat", *LANES))[0]
    finally:
        store.close()


def _wait_until_ready(
    process: subprocess.Popen[bytes], out_path: Path, log_path: Path, start_seconds: float
) -> str:
    deadline = time.monotonic() + start_seconds
    while time.monotonic() < deadline:
        for line in out_path.read_text().splitlines():
            if line.startswith(READY_MARK):
                base_url = line.removeprefix(READY_MARK).removesuffix("/v1")
                if _answers(base_url):
                    return base_url
        if process.poll() is not None:
            break
        time.sleep(POLL_SECONDS)
    raise LaunchError(
        f"codeloop serve (exit code {process.poll()}) was not ready in {start_seconds:g} s; its"
        f" log {log_path} ends with\n{log_path.read_text()[-3000:]}"
    )


def _answers(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/health/live", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
