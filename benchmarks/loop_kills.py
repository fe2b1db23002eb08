"""kill -9 of one process of a running loop at random moments: what users and the catalog make of it.

The loop is the tiny one of deploy.loop.make_tiny: scripted engines, a real trainer, real evaluations,
canaries. Each round kills one of gateway, engine, trainer, evaluator or the loop itself; a loop that was
killed is started again, everything else has to come back by itself. After each the invariants are looked at:
the history's chain is whole, at most one version is live, what is live passed the gate and is there to the
byte, no version that was taken in is gone, and the server answers users from the version that is live.

    python -m benchmarks.loop_kills --quick        5 kills
    python -m benchmarks.loop_kills                50 kills
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.launch import READY_MARK
from deploy.loop.journal import read_rows
from deploy.loop.make_tiny import MODEL, make
from deploy.loop.progress import progress_of
from server.keys import KeyRing
from server.store import Store
from server.version_catalog import VersionCatalog
from server.version_record import BASE_VERSION
from server.version_states import State

SEED = 6
NUM_KILLS, NUM_QUICK = 50, 5
LONGEST_LIFE_SECONDS = 12.0
BACK_SECONDS = 120.0
VICTIMS = ("loop", "server", "engine", "trainer", "evaluator")


def main(num_kills: int, folder: Path) -> int:
    """Kill, look, tell; 1 when anything was wrong."""
    draw = random.Random(SEED)
    rounds = 2 + num_kills  # more than the kills leave time for
    make(folder, [f"rounds = {rounds}"])
    place, faults = Place(folder), list[str]()
    killed, back_seconds = Counter[str](), list[float]()
    with place.running() as loop:
        place.wait_until_ready()
        for number in range(num_kills):
            wanted = VICTIMS[number % len(VICTIMS)]
            place.wait_until_ready()
            time.sleep(draw.uniform(0.0, LONGEST_LIFE_SECONDS))
            pid = place.wait_for(wanted)
            if pid is None:
                print(f"{number + 1:3} {wanted}: did not run in {BACK_SECONDS:g} s", flush=True)
                continue
            # The server of a loop that was killed ends with it, and may answer once more on its way.
            needed = {"loop": "server"}.get(wanted, wanted)
            old = place.wait_for(needed)
            os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            if wanted == "loop":
                loop.restart()
            if needed in ("server", "engine"):
                place.wait_for(needed, other_than=old)
            place.wait_until_ready()
            back_seconds.append(time.monotonic() - began)
            killed[wanted] += 1
            found = place.faults()
            faults += found
            told = "; ".join(found) or "in order"
            print(
                f"{number + 1:3} {wanted}: back after {back_seconds[-1]:.1f} s, {told}", flush=True
            )
        loop.stop()
    found = place.faults()
    faults += found
    taken, live = place.summary()
    print(f"\n{sum(killed.values())} kills: {dict(killed)}")
    print(f"{len(taken)} versions taken in, {live} is live, {len(faults)} faults")
    if back_seconds:
        ordered = sorted(back_seconds)
        print(
            f"service after a kill: median {ordered[len(ordered) // 2]:.1f} s,"
            f" from {ordered[0]:.1f} to {ordered[-1]:.1f} s"
        )
    return int(bool(faults))


class Running:
    """The loop's process. It is started again when it was killed."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self._log = command, log
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CODELOOP_")}
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, stdout=log, stderr=log, env=kept, start_new_session=True
            )

    def restart(self) -> None:
        self.process.wait()
        self.process = self._start()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Place:
    """The tiny loop's folder, and what can be seen of it from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.loop = self.home / "loops" / "tiny"
        self.home.mkdir()
        store = Store(f"sqlite:///{self.home / 'codeloop.db'}")
        try:
            self._key, _ = KeyRing(store).create("benchmark")
        finally:
            store.close()

    @contextmanager
    def running(self) -> Iterator[Running]:
        options = ["--config", str(self.folder / "codeloop.toml"), "--home", str(self.home)]
        command = [sys.executable, "-m", "deploy", *options, "loop", str(self.folder / "run.toml")]
        found = Running(command, self.folder / "loop.log")
        self._running = found
        try:
            yield found
        finally:
            found.stop()

    def wait_for(self, name: str, *, other_than: int | None = None) -> int | None:
        """The process id of a part, once it runs; None when it does not come."""
        deadline = time.monotonic() + BACK_SECONDS
        while time.monotonic() < deadline:
            if (pid := self._pid(name)) is not None and pid != other_than:
                return pid
            time.sleep(0.05)
        return None

    def wait_until_ready(self) -> None:
        """Until the server answers a user, by itself."""
        deadline = time.monotonic() + BACK_SECONDS
        while time.monotonic() < deadline:
            if self._running.process.poll() is not None:
                raise SystemExit(f"the loop ended; see {self.folder / 'loop.log'}")
            if self._answer() is not None:
                return
            time.sleep(0.1)
        raise SystemExit(f"no answer for {BACK_SECONDS:g} s; see {self.loop / 'logs'}")

    def faults(self) -> list[str]:
        """What is not as it has to be, a sentence each."""
        found = []
        store = Store(f"sqlite:///{self.home / 'codeloop.db'}")
        try:
            catalog = VersionCatalog(store, self.home / "versions")
            versions = catalog.versions(MODEL)
            history = catalog.history(MODEL)  # raises when a row of its chain was lost
            live = [one for one in versions if one.state is State.LIVE]
            if len(live) != 1:
                found.append(f"{len(live)} versions are live")
            for one in live:
                catalog.verify(MODEL, one.version, actor="benchmark")
                passed = {row.to_state for row in history if row.version == one.version}
                if one.version != BASE_VERSION and State.GATED not in passed:
                    found.append(f"{one.version} is live and was never gated")
            there = {one.version for one in versions if one.folder.is_dir()}
            taken = progress_of(read_rows(self.loop)).taken()
            found += [f"{name} was taken in and is gone" for name in taken if name not in there]
            found += self._wrong_answer(catalog)
        finally:
            store.close()
        return found

    def summary(self) -> tuple[list[str], str]:
        store = Store(f"sqlite:///{self.home / 'codeloop.db'}")
        try:
            live = VersionCatalog(store, self.home / "versions").live(MODEL)
        finally:
            store.close()
        return progress_of(read_rows(self.loop)).taken(), live.version if live else "none"

    def _wrong_answer(self, catalog: VersionCatalog) -> list[str]:
        """Who answers a user. A promotion may come in between, so what is live is looked at twice."""

        def answering() -> set[str]:
            states = (State.LIVE, State.CANARY)
            return {one.version for one in catalog.versions(MODEL) if one.state in states}

        before = answering()
        version = self._answer()
        allowed = before | answering()
        if version is None or set(version.split(",")) <= allowed:
            return []
        return [f"a user was answered by {version}, and {', '.join(sorted(allowed))} is live"]

    def _answer(self) -> str | None:
        """The version that answers a user; None when nobody does."""
        url = self._url()
        if url is None:
            return None
        body = {"model": MODEL, "prompt": "a", "max_tokens": 1}
        request = urllib.request.Request(  # our own loopback server
            f"{url}/completions",
            data=json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self._key}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                told: str = json.load(answer)["system_fingerprint"]
        except (OSError, ValueError):
            return None
        return told.rpartition("@")[2]

    def _url(self) -> str | None:
        """As the server of the present prints it; the port of one that died is nobody's."""
        try:
            lines = (self.loop / "server.out").read_text().splitlines()
        except OSError:
            return None
        return next((one.removeprefix(READY_MARK) for one in lines if READY_MARK in one), None)

    def _pid(self, name: str) -> int | None:
        loop = self._running.process.pid
        if name == "loop":
            return loop
        if name == "engine":
            server = self._pid("server")
            children = [] if server is None else _children(server)
            return children[0] if children else None
        rows = [r for r in read_rows(self.loop) if r["type"] == "child" and r["name"] == name]
        if rows and rows[-1]["event"] == "started" and rows[-1]["pid"] in _children(loop):
            return int(rows[-1]["pid"])
        return None


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(one) for one in text.split()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    number = NUM_QUICK if asked.quick else NUM_KILLS
    if asked.folder:
        sys.exit(main(number, asked.folder))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(number, Path(temporary) / "loop"))
