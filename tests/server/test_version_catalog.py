"""States, audited moves, what stays and what goes; and two processes that want different things."""

import datetime as dt
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from server.errors import (
    HistoryBroken,
    IllegalMove,
    NoPreviousVersion,
    StoreError,
    VersionConflict,
    VersionInUse,
    VersionNotFound,
    VersionRefused,
)
from server.store import VERSION_TRANSITIONS, VERSIONS, Store
from server.version_catalog import VersionCatalog
from server.version_record import Score
from server.version_states import MOVES, State

BY: Any = {"actor": "alice", "reason": "because"}


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'codeloop.db'}")
    yield opened
    opened.close()


@pytest.fixture
def catalog(store: Store, tmp_path: pathlib.Path, published: Any) -> VersionCatalog:
    """Base 0 live; versions 1, 2, 3 gated."""
    made = VersionCatalog(store, tmp_path / "versions")
    made.adopt_base("m", published.write_model(tmp_path / "base"), actor="alice")
    for number in range(1, 4):
        folder = published.write_version(tmp_path / str(number), seed=number, parent=number - 1)
        made.publish("m", folder, **BY)
        made.advance("m", str(number), State.GATED, **BY)
    return made


def states(catalog: VersionCatalog) -> dict[str, str]:
    return {each.version: each.state.value for each in catalog.versions("m")}


def test_what_a_version_is_can_be_asked_for(
    catalog: VersionCatalog, published: Any, tmp_path: pathlib.Path
) -> None:
    training = {"step": 12, "recipe_sha256": "ab", "dataset_sha256s": {"short": "cd"}}
    folder = published.write_version(tmp_path / "f", seed=4, version=4, parent="3", **training)
    taken = catalog.publish("m", folder, **BY)
    assert (taken.name, taken.state, taken.kind) == ("m@4", State.VERIFIED, "full")
    assert (taken.step, taken.recipe_digest, taken.dataset_digests) == (12, "ab", {"short": "cd"})
    assert [each.version for each in catalog.lineage("m", "4")] == ["4", "3", "2", "1", "0"]
    score = Score(value=0.4, low=0.35, high=0.45, num_problems=300)
    catalog.advance("m", "4", State.GATED, **BY, evidence={"p": 0.01}, scores={"short": score})
    assert catalog.get("m", "4").scores == {"short": score}
    (row,) = [row for row in catalog.history("m", "4") if row.to_state is State.GATED]
    assert (row.actor, row.reason, row.evidence["p"]) == ("alice", "because", 0.01)
    assert catalog.publish("m", folder, **BY) == catalog.get("m", "4")
    assert len(catalog.history("m", "4")) == 3


def test_a_promotion_remembers_what_it_replaced_and_a_roll_back_restores_it(
    catalog: VersionCatalog,
) -> None:
    for number in range(1, 4):
        catalog.promote("m", str(number), replaces=str(number - 1), **BY)
    assert states(catalog) == {"0": "draining", "1": "draining", "2": "draining", "3": "live"}
    catalog.roll_back("m", replaces="3", **BY)
    catalog.advance("m", "3", State.REJECTED, **BY)
    catalog.roll_back("m", replaces="2", **BY)
    live, previous = catalog.live("m"), catalog.previous("m")
    assert live
    assert previous
    assert (live.version, previous.version) == ("1", "0")
    catalog.roll_back("m", replaces="1", **BY)
    with pytest.raises(NoPreviousVersion):
        catalog.roll_back("m", replaces="0", **BY)


def test_what_is_asked_wrongly_gets_one_answer_and_changes_nothing(
    catalog: VersionCatalog, published: Any, tmp_path: pathlib.Path
) -> None:
    catalog.advance("m", "3", State.CANARY, **BY)
    other = published.write_version(tmp_path / "other", seed=9)
    before = (catalog.versions(), catalog.history("m"))
    wrong: list[tuple[type[Exception], str, list[Any], dict[str, Any]]] = [
        (IllegalMove, "promote", ["m", "0"], {"replaces": "0"}),
        (VersionConflict, "promote", ["m", "1"], {"replaces": "2"}),
        (VersionConflict, "promote", ["m", "1"], {"replaces": "0"}),  # 3 is the canary
        (VersionConflict, "advance", ["m", "1", State.CANARY], {}),
        (NoPreviousVersion, "roll_back", ["m"], {"replaces": "0"}),
        (VersionConflict, "roll_back", ["m"], {"replaces": "1"}),
        (IllegalMove, "advance", ["m", "1", State.LIVE], {}),
        (IllegalMove, "advance", ["m", "1", State.VERIFIED], {}),
        (IllegalMove, "advance", ["m", "0", State.RETIRED], {}),
        (VersionInUse, "remove", ["m", "0"], {}),
        (VersionInUse, "remove", ["m", "3"], {}),
        (VersionNotFound, "remove", ["m", "x"], {}),
        (VersionNotFound, "promote", ["n", "1"], {"replaces": None}),
        (VersionNotFound, "pin", ["m", "x"], {}),
        (VersionRefused, "publish", ["m", other], {"version": "1"}),
        (VersionRefused, "publish", ["m", tmp_path / "absent"], {}),
    ]
    for error, method, arguments, keywords in wrong:
        with pytest.raises(error):
            getattr(catalog, method)(*arguments, **keywords, **BY)
        assert (catalog.versions(), catalog.history("m")) == before, (method, arguments)


def test_the_table_of_moves_is_the_only_way(catalog: VersionCatalog) -> None:
    for to_state in State:
        allowed = to_state in MOVES[State.GATED] - {State.LIVE, State.REMOVED}
        if not allowed:
            with pytest.raises(IllegalMove):
                catalog.advance("m", "1", to_state, **BY)
    catalog.advance("m", "1", State.REJECTED, **BY)
    assert MOVES[State.REMOVED] == frozenset()
    with pytest.raises(IllegalMove, match="is rejected and cannot become live"):
        catalog.promote("m", "1", replaces="0", **BY)


@pytest.mark.parametrize("state", ["live", "canary"])
def test_the_database_itself_refuses_a_second_one(
    catalog: VersionCatalog, store: Store, state: str
) -> None:
    catalog.advance("m", "1", State.CANARY, **BY)
    with pytest.raises(StoreError, match="UNIQUE"):
        store.write(sa.update(VERSIONS).where(VERSIONS.c.version == "2").values(state=state))


def test_a_changed_audit_row_is_noticed(catalog: VersionCatalog, store: Store) -> None:
    rows = catalog.history("m")
    where = VERSION_TRANSITIONS.c.sequence == 3
    for change in (
        sa.update(VERSION_TRANSITIONS).where(where).values(actor="mallory"),
        sa.delete(VERSION_TRANSITIONS).where(VERSION_TRANSITIONS.c.sequence == len(rows)),
    ):
        store.write(change)
        with pytest.raises(HistoryBroken, match="broken at row"):
            catalog.history("m")
        store.write(sa.update(VERSION_TRANSITIONS).where(where).values(actor=rows[2].actor))


def test_a_clock_that_jumps_reorders_nothing(catalog: VersionCatalog, store: Store) -> None:
    order = [row.sequence for row in catalog.history("m")]
    past = dt.datetime(1990, 1, 1)  # noqa: DTZ001  # as the store keeps times
    store.write(sa.update(VERSIONS).where(VERSIONS.c.version == "3").values(created_at=past))
    assert [each.version for each in catalog.versions("m")] == ["0", "1", "2", "3"]
    assert order == list(range(1, len(order) + 1))
    assert catalog.collect("m", keep_last=1, actor="alice").removed == ("m@1", "m@2")


def test_a_collection_keeps_what_is_needed(
    catalog: VersionCatalog, published: Any, tmp_path: pathlib.Path
) -> None:
    for name, parent in (("a", "3"), ("b", "a")):
        catalog.publish("m", published.write_adapter(tmp_path / name, parent=parent), **BY)
    catalog.pin("m", "1", **BY)
    done = catalog.collect("m", keep_last=1, actor="alice", is_dry_run=True)
    assert done.removed == ("m@2", "m@a")
    assert "beside" in done.kept["m@3"]
    with catalog.hold("m", "2"):
        done = catalog.collect("m", keep_last=1, actor="alice")
    assert done.removed == ("m@a",)
    assert "being read" in done.kept["m@2"]
    assert catalog.collect("m", keep_last=1, actor="alice").removed == ("m@2",)
    here = {path.name for path in (tmp_path / "versions" / "m").iterdir()}
    assert {"1", "3", "b"} <= here
    assert not {"2", "a"} & here
    with pytest.raises(VersionNotFound), catalog.hold("m", "2"):
        pass
    with pytest.raises(VersionInUse, match="pinned"):
        catalog.remove("m", "1", **BY)
    with pytest.raises(VersionInUse, match="the adapter m@b is loaded beside"):
        catalog.remove("m", "3", **BY)


def test_what_a_roll_back_needs_is_never_collected(catalog: VersionCatalog) -> None:
    catalog.promote("m", "1", replaces="0", **BY)
    catalog.promote("m", "2", replaces="1", **BY)
    catalog.advance("m", "1", State.RETIRED, **BY)
    assert catalog.collect("m", keep_last=0, actor="alice").removed == ("m@3",)
    with pytest.raises(VersionInUse, match="roll-back"):
        catalog.remove("m", "1", **BY)
    assert catalog.roll_back("m", replaces="2", **BY).version == "1"


def test_a_start_takes_in_strays_and_tells_of_what_is_gone(
    catalog: VersionCatalog,
    published: Any,
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = tmp_path / "versions" / "m"
    catalog.promote("m", "1", replaces="0", **BY)
    published.write_version(place / "whole", seed=5)
    published.write_version(place / "broken", seed=6)
    (place / "broken" / "config.json").write_text("{}")
    (place / "1").rename(tmp_path / "gone-1")
    (place / "2").rename(tmp_path / "gone-2")
    told = catalog.reconcile()
    assert len(told) == len(caplog.records) == 4
    assert states(catalog) | {"whole": "verified", "1": "live", "2": "removed"} == states(catalog)
    assert not (place / "broken").exists()
    assert any("m@1, is gone although it is live" in line for line in told)
    with pytest.raises(VersionRefused, match="a name keeps its meaning"):
        catalog.publish("m", tmp_path / "2", **BY)
    assert json.dumps(told)
