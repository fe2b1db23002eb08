"""The loop with scripted engines and a trainer of one layer: its whole way, a kill in the middle of it, its end."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.loop.journal import NAME, Journal, read_rows
from deploy.loop.make_tiny import MODEL, make
from deploy.loop.progress import progress_of
from server.store import Store
from server.version_catalog import VersionCatalog
from server.version_states import State

pytestmark = pytest.mark.timeout(420)
PAGE = "status page: "


class Tiny:
    """One loop's folder, and processes that run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = folder / "home" / "loops" / "tiny"

    def start(self) -> "subprocess.Popen[str]":
        """In a process group of its own, with a status page."""
        place = [
            "--config",
            str(self.folder / "codeloop.toml"),
            "--home",
            str(self.folder / "home"),
        ]
        words = ["loop", str(self.folder / "run.toml"), "--page", "0"]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CODELOOP_")}
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "deploy", *place, *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=kept | {"COLUMNS": "200"}, start_new_session=True,
        )  # fmt: skip

    def catalog(self) -> tuple[Store, VersionCatalog]:
        store = Store(f"sqlite:///{self.folder / 'home' / 'codeloop.db'}")
        return store, VersionCatalog(store, self.folder / "home" / "versions")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """A loop of one round that is killed in the middle of it and started again."""
    folder = tmp_path_factory.mktemp("loop") / "tiny"
    make(folder, ["rounds = 1"])
    tiny = Tiny(folder)
    status: dict[str, Any] = {}
    with tiny.start() as first:
        assert first.stdout is not None
        for line in first.stdout:
            if line.startswith(PAGE):
                url = line.removeprefix(PAGE).strip()
                with urllib.request.urlopen(f"{url}status.json") as answer:
                    status = json.load(answer)
            if "is in the catalog" in line:
                break
        first.send_signal(signal.SIGKILL)
    second = tiny.start()
    text, _ = second.communicate()
    return {"tiny": tiny, "status": status, "text": text, "code": second.returncode}


def test_a_killed_loop_goes_on_and_reaches_its_end(whole: Mapping[str, Any]) -> None:
    assert whole["code"] == 0, whole["text"]
    rows = read_rows(whole["tiny"].loop)
    progress = progress_of(rows)
    assert progress.num_starts == 2
    assert [one.closed and one.closed["outcome"] for one in progress.rounds.values()] == [
        "promoted"
    ]
    # What was done before the kill is not done again.
    assert sum(row["type"] == "taken" for row in rows) == 1
    assert "Held-out problems: version 0 and version" in whole["text"]


def test_catalog_has_each_version_once_and_the_last_one_live(whole: Mapping[str, Any]) -> None:
    tiny = whole["tiny"]
    taken = progress_of(read_rows(tiny.loop)).taken()
    store, catalog = tiny.catalog()
    try:
        found = catalog.versions(MODEL)
        states = [row.to_state for row in catalog.history(MODEL, taken[-1])]
    finally:
        store.close()
    assert [one.version for one in found] == ["0", *taken]
    assert [one.state for one in found] == [State.RETIRED, State.LIVE]
    assert states == [State.STAGED, State.VERIFIED, State.GATED, State.CANARY, State.LIVE]


def test_no_user_met_a_failure_and_the_swaps_are_reported(whole: Mapping[str, Any]) -> None:
    rows = read_rows(whole["tiny"].loop)
    traffic = next(row for row in rows if row["type"] == "traffic")
    assert traffic["requests"] > 0
    assert traffic["failed"] == 0, traffic["last_failure"]
    for row in rows:
        if row["type"] == "promoted":
            assert row["report"]["plan"]["version"] == row["version"]
            assert row["report"]["probe"]["num_generated"] > 0


def test_page_tells_what_is_done_now(whole: Mapping[str, Any]) -> None:
    assert whole["status"]["model"] == MODEL
    assert set(whole["status"]) >= {"server", "trainer", "gate", "rounds", "versions", "users"}


def test_a_row_that_a_crash_cut_short_is_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write("begin", loop="a", model="m", sampler="s")
    journal.close()
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"at":"2026-01-01","type":"rou')
    again = Journal(tmp_path)
    again.write("round", round=1)
    again.close()
    assert [row["type"] for row in read_rows(tmp_path)] == ["begin", "round"]
