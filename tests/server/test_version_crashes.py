"""Whatever happens to versions, in whatever order, killed wherever: catalog and folders agree after."""

import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from server.errors import VersionError, VersionRefused
from server.store import Store
from server.version_catalog import VersionCatalog
from server.version_check import check_listing
from server.version_states import MOVES, State

VICTIM = pathlib.Path(__file__).resolve().parents[1] / "version_victim.py"
BY: Any = {"actor": "test", "reason": "because"}
Victim = Callable[..., list[str]]


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    """Call a catalog's methods in processes that are killed or race; see version_victim.py."""
    with subprocess.Popen(
        [sys.executable, str(VICTIM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def ask(home: pathlib.Path, *calls: Any, kill_at: int | None = None) -> list[str]:
            stdin.write(json.dumps({"home": str(home), "calls": calls, "kill_at": kill_at}) + "\n")
            stdin.flush()
            answer: list[str] = json.loads(stdout.readline())
            return answer

        yield ask
        stdin.close()


@pytest.fixture(scope="module")
def template(published: Any, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A home with 0 draining, 1 retired, 2 previous, 3 live, 4 gated, an adapter on 4; and two to come."""
    around = tmp_path_factory.mktemp("template")
    home = around / "home"
    home.mkdir()
    with opened(home) as catalog:
        _fill(catalog, published, around)
    published.write_version(around / "new", seed=9, version="new", parent="3")
    return home


def _fill(catalog: VersionCatalog, published: Any, around: pathlib.Path) -> None:
    catalog.adopt_base("m", published.write_model(around / "base"), actor="test")
    for number in range(1, 5):
        folder = published.write_version(around / str(number), seed=number)
        catalog.publish("m", folder, **BY)
        catalog.advance("m", str(number), State.GATED, **BY)
    adapter = published.write_adapter(around / "adapter", parent="4")
    catalog.publish("m", adapter, **BY)
    for number in range(1, 4):
        catalog.promote("m", str(number), replaces=str(number - 1), **BY)
    catalog.advance("m", "1", State.RETIRED, **BY)
    catalog.advance("m", "2", State.RETIRED, **BY)


@contextmanager
def opened(home: pathlib.Path) -> Iterator[VersionCatalog]:
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    try:
        yield VersionCatalog(store, home / "versions")
    finally:
        store.close()


def check_agreement(catalog: VersionCatalog, root: pathlib.Path) -> None:
    """All that holds at any time after a start's `reconcile`."""
    rows = catalog.versions("m")
    here = {row.version: row for row in rows if row.state is not State.REMOVED}
    states = [row.state for row in rows]
    assert states.count(State.LIVE) == 1
    assert states.count(State.CANARY) <= 1
    folders = {path.name for path in (root / "m").iterdir() if not path.name.startswith(".")}
    assert folders == here.keys() - {"0"}
    assert [path.name for path in root.iterdir() if path.name not in ("m", ".lock")] == []
    for name in folders:
        assert check_listing(here[name].folder).digest == here[name].weights_digest
    previous = catalog.previous("m")
    assert previous is None or previous.state in (State.DRAINING, State.RETIRED)
    now: dict[str, State] = {}
    for row in catalog.history("m"):
        assert row.from_state == now.get(row.version)
        assert row.from_state in (None, row.to_state) or row.to_state in MOVES[row.from_state]
        now[row.version] = row.to_state
    assert now == {row.version: row.state for row in rows}


OPERATIONS: dict[str, list[Any]] = {
    "publish": ["publish", ["m", "NEW"], BY],
    "move": ["publish", ["m", "NEW"], BY | {"move": True}],
    "promote": ["promote", ["m", "4"], BY | {"replaces": "3"}],
    "roll back": ["roll_back", ["m"], BY | {"replaces": "3"}],
    "remove": ["remove", ["m", "1"], BY],
    "collect": ["collect", ["m"], {"actor": "test", "keep_last": 0}],
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_change_it_leaves_what_a_start_puts_in_order(
    operation: str, victim: Victim, template: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    method, arguments, keywords = OPERATIONS[operation]
    for kill_at in itertools.count(1):
        home = tmp_path / str(kill_at)
        shutil.copytree(template, home)
        new = shutil.copytree(template.parent / "new", tmp_path / f"new-{kill_at}")
        call = [method, [str(new) if each == "NEW" else each for each in arguments], keywords]
        (ended,) = victim(home, call, kill_at=kill_at)
        with opened(home) as catalog:
            catalog.reconcile()
            check_agreement(catalog, home / "versions")
            assert catalog.reconcile() == []
            # What a trainer had is lost nowhere: it is where it was, or in the catalog and whole.
            if not (new / "manifest.json").is_file():
                catalog.verify("m", "new", actor="test")
        if ended == "done":
            break
        assert ended == "killed"
    assert kill_at > 5


class Machine(RuleBasedStateMachine):
    """Random operations, some of them killed; what raises has changed nothing."""

    published: Any
    victim: Victim
    template: pathlib.Path

    def __init__(self) -> None:
        super().__init__()
        self._around = pathlib.Path(tempfile.mkdtemp())
        self._home = self._around / "home"
        shutil.copytree(self.template, self._home)
        self._num_published = 0
        self._open()

    def _open(self) -> None:
        self._store = Store(f"sqlite:///{self._home / 'codeloop.db'}")
        self._catalog = VersionCatalog(self._store, self._home / "versions")

    def _try(self, method: str, *arguments: Any, **keywords: Any) -> None:
        before = (self._catalog.versions(), self._catalog.history("m"))
        try:
            getattr(self._catalog, method)(*arguments, **keywords)
        except VersionError:
            assert (self._catalog.versions(), self._catalog.history("m")) == before

    def _names(self) -> list[str]:
        return [row.version for row in self._catalog.versions("m")]

    @rule(number=st.integers(0, 99), is_adapter=st.booleans(), move=st.booleans())
    def publish(self, number: int, is_adapter: bool, move: bool) -> None:
        self._num_published += 1
        folder = self._around / f"x{self._num_published}"
        parent = self._names()[number % len(self._names())]
        write = self.published.write_adapter if is_adapter else self.published.write_version
        write(folder, seed=number, parent=parent)
        self._try("publish", "m", folder, move=move, **BY)

    @rule(number=st.integers(0, 99), state=st.sampled_from(list(State)))
    def advance(self, number: int, state: State) -> None:
        names = self._names()
        self._try("advance", "m", names[number % len(names)], state, **BY)

    @rule(number=st.integers(0, 99), state=st.sampled_from(list(State)))
    def promote_or_roll_back(self, number: int, state: State) -> None:
        names = self._names()
        live = self._catalog.live("m")
        assert live
        self._try("promote", "m", names[number % len(names)], replaces=live.version, **BY)
        if number % 3 == 0:
            self._try("roll_back", "m", replaces=live.version, **BY)

    @rule(number=st.integers(0, 99), is_pinned=st.booleans())
    def pin(self, number: int, is_pinned: bool) -> None:
        names = self._names()
        self._try("pin", "m", names[number % len(names)], is_pinned=is_pinned, **BY)

    @rule(number=st.integers(0, 99), keep_last=st.integers(0, 3))
    def remove_or_collect(self, number: int, keep_last: int) -> None:
        names = self._names()
        pinned = {
            row.version
            for row in self._catalog.versions("m")
            if row.is_pinned and row.state is not State.REMOVED
        }
        self._try("remove", "m", names[number % len(names)], **BY)
        if number % 2:
            self._catalog.collect("m", keep_last=keep_last, actor="test")
        assert pinned <= {row.version for row in self._catalog.versions("m") if row.folder.is_dir()}

    @rule(number=st.integers(0, 99))
    def damage(self, number: int) -> None:
        here = [row for row in self._catalog.versions("m") if row.state is State.GATED]
        if not here:
            return
        row = here[number % len(here)]
        path = sorted(row.folder.glob("*.safetensors"))[0]
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(VersionRefused):
            self._catalog.verify("m", row.version, actor="test")
        assert self._catalog.get("m", row.version).state is State.REJECTED
        shutil.rmtree(row.folder)
        assert len(self._catalog.reconcile()) == 1

    @rule(
        number=st.integers(0, 99),
        kill_at=st.integers(1, 30),
        name=st.sampled_from(sorted(OPERATIONS)),
    )
    def crash(self, number: int, kill_at: int, name: str) -> None:
        method, arguments, keywords = OPERATIONS[name]
        names = self._names()
        live = self._catalog.live("m")
        assert live
        self._num_published += 1
        new = self._around / f"x{self._num_published}"
        self.published.write_version(new, seed=number)
        picked = names[number % len(names)]
        put = {"NEW": str(new), "4": picked, "1": picked}
        keywords = keywords | ({"replaces": live.version} if "replaces" in keywords else {})
        self._store.close()
        self.victim(
            self._home,
            [method, [put.get(each, each) for each in arguments], keywords],
            kill_at=kill_at,
        )
        self._open()
        self._catalog.reconcile()

    @invariant()
    def catalog_and_folders_agree(self) -> None:
        check_agreement(self._catalog, self._home / "versions")

    def teardown(self) -> None:
        self._store.close()
        shutil.rmtree(self._around)


def test_random_operations_and_crashes_keep_catalog_and_folders_in_agreement(
    victim: Victim, template: pathlib.Path, published: Any
) -> None:
    Machine.victim, Machine.template, Machine.published = staticmethod(victim), template, published
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
