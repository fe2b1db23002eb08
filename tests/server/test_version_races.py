"""Two processes that want different things of the same versions: one gets it, the other is told."""

import json
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from server.store import Store
from server.version_catalog import VersionCatalog
from server.version_states import State

VICTIM = pathlib.Path(__file__).resolve().parents[1] / "version_victim.py"
BY: Any = {"actor": "test", "reason": "because"}
ROUNDS = 5
Race = Callable[..., list[str]]


@pytest.fixture(scope="module")
def race() -> Iterator[Race]:
    """Make calls at the same moment, each in a process of its own; see version_victim.py."""
    with subprocess.Popen(
        [sys.executable, str(VICTIM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def ask(home: pathlib.Path, *calls: Any) -> list[str]:
            stdin.write(json.dumps({"home": str(home), "calls": calls, "kill_at": None}) + "\n")
            stdin.flush()
            answer: list[str] = json.loads(stdout.readline())
            return answer

        yield ask
        stdin.close()


@pytest.fixture(scope="module")
def template(published: Any, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Base 0 live, 1 and 2 gated."""
    around = tmp_path_factory.mktemp("template")
    home = around / "home"
    home.mkdir()
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    catalog = VersionCatalog(store, home / "versions")
    catalog.adopt_base("m", published.write_model(around / "base"), actor="test")
    for name in ("1", "2"):
        catalog.publish("m", published.write_version(around / name, seed=int(name)), **BY)
        catalog.advance("m", name, State.GATED, **BY)
    store.close()
    return home


@pytest.fixture
def homes(template: pathlib.Path, tmp_path: pathlib.Path) -> list[pathlib.Path]:
    """One a round, all alike."""
    return [shutil.copytree(template, tmp_path / str(number)) for number in range(ROUNDS)]


def after(home: pathlib.Path) -> dict[str, str]:
    """States by version; the history's chain was whole and the folders were those of the rows."""
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    catalog = VersionCatalog(store, home / "versions")
    found = {row.version: row.state.value for row in catalog.versions("m")}
    assert catalog.history("m")
    assert catalog.reconcile() == []
    store.close()
    return found


def test_of_two_promotions_one_wins_and_the_other_is_told(
    race: Race, homes: list[pathlib.Path]
) -> None:
    for home in homes:
        calls = [["promote", ["m", name], BY | {"replaces": "0"}] for name in ("1", "2")]
        ended = race(home, *calls)
        assert sorted(ended) == ["VersionConflict", "done"]
        winner, loser = ("1", "2") if ended[0] == "done" else ("2", "1")
        assert after(home) == {"0": "draining", winner: "live", loser: "gated"}


def test_a_promotion_of_the_same_version_twice_happens_once(
    race: Race, homes: list[pathlib.Path]
) -> None:
    for home in homes:
        call = ["promote", ["m", "1"], BY | {"replaces": "0"}]
        assert sorted(race(home, call, call)) == ["IllegalMove", "done"]
        assert after(home) == {"0": "draining", "1": "live", "2": "gated"}


def test_a_collection_never_takes_what_is_being_promoted(
    race: Race, homes: list[pathlib.Path]
) -> None:
    for home in homes:
        promoted, collected = race(
            home,
            ["promote", ["m", "1"], BY | {"replaces": "0"}],
            ["collect", ["m"], {"actor": "test", "keep_last": 0}],
        )
        assert collected == "done"
        is_there = (home / "versions" / "m" / "1").is_dir()
        states = after(home)
        assert states["2"] == "removed"
        if promoted == "done":
            assert (states["1"], is_there) == ("live", True)
        else:
            assert promoted in ("IllegalMove", "VersionNotFound")
            assert (states["1"], is_there) == ("removed", False)


def test_one_name_published_twice_at_once_is_one_version(
    race: Race, homes: list[pathlib.Path], published: Any, tmp_path: pathlib.Path
) -> None:
    folders = [published.write_version(tmp_path / f"new-{seed}", seed=seed) for seed in (5, 6)]
    for home in homes:
        calls = [["publish", ["m", str(each)], BY | {"version": "3"}] for each in folders]
        assert sorted(race(home, *calls)) == ["VersionRefused", "done"]
        assert after(home)["3"] == "verified"


def test_two_processes_may_open_a_new_database_at_once(
    race: Race, tmp_path: pathlib.Path, published: Any
) -> None:
    base = published.write_model(tmp_path / "base")
    for number in range(ROUNDS):
        home = tmp_path / f"empty-{number}"
        home.mkdir()
        call = ["adopt_base", ["m", str(base)], {"actor": "test"}]
        assert race(home, call, call) == ["done", "done"]
        assert after(home) == {"0": "live"}
