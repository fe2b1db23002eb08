"""Keys: shown once, stored as hashes, ended within seconds; and what a key may do."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.auth import Authenticator, choose_lane
from server.errors import ApiError, StoreError
from server.keys import KeyNotFound, KeyRing
from server.store import Store, utc_now


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "codeloop.db"


@pytest.fixture
def keys(database: Path) -> Iterator[KeyRing]:
    store = Store(f"sqlite:///{database}")
    yield KeyRing(store)
    store.close()


def test_the_database_never_holds_the_key_itself(keys: KeyRing, database: Path) -> None:
    secret, _ = keys.create("alice")
    random_part = secret.split("-", 2)[2].encode()
    written = b"".join(path.read_bytes() for path in database.parent.iterdir())
    assert random_part not in written
    assert keys.find(secret) is not None


def test_a_revoked_key_is_refused_and_said_to_be_revoked(keys: KeyRing) -> None:
    secret, key = keys.create("alice")
    keys.revoke(key.prefix)
    assert keys.find(secret) is None
    assert keys.all()[0].revoked_at is not None
    with pytest.raises(KeyNotFound):
        keys.revoke(key.prefix)


def test_a_key_ends_on_its_day(keys: KeyRing) -> None:
    secret, _ = keys.create("alice", expires_at=utc_now() - dt.timedelta(seconds=1))
    assert keys.find(secret) is None


def test_a_flood_of_wrong_keys_does_not_grow_memory(
    keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.keys.MOST_CACHED", 10)
    for number in range(100):
        keys.find(f"cl-wrong-{number}")
    assert len(keys._cache) <= 10


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer cl-unknown"},
        {"authorization": "Basic abc"},
        {"x-api-key": "ÿ"},
    ],
)
async def test_a_missing_or_wrong_key_is_401(keys: KeyRing, headers: dict[str, str]) -> None:
    with pytest.raises(ApiError) as refusal:
        await Authenticator(keys).caller(headers)
    assert (refusal.value.status, refusal.value.code) == (401, "invalid_api_key")


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_a_key_is_taken_from_either_header(keys: KeyRing, header: str) -> None:
    secret, key = keys.create("alice")
    value = f"bearer {secret}" if header == "authorization" else secret
    caller = await Authenticator(keys).caller({header: value})
    assert (caller.key.prefix, caller.lane) == (key.prefix, "chat")


def test_a_lane_needs_to_be_the_keys_and_its_scope_too(keys: KeyRing) -> None:
    _, user = keys.create("user")
    _, runner = keys.create("runner", scopes=["evaluate"], lanes=["eval"])
    _, halfway = keys.create("halfway", scopes=["complete"], lanes=["eval"])
    assert choose_lane(user, None) == "chat"
    assert choose_lane(user, " IDE ") == "ide"
    assert choose_lane(runner, None) == "eval"
    refusals = []
    for key, lane in ((user, "eval"), (halfway, None), (user, "fast")):
        with pytest.raises(ApiError) as refusal:
            choose_lane(key, lane)
        refusals.append((refusal.value.status, refusal.value.code))
    assert refusals == [
        (403, "lane_not_allowed"),
        (403, "insufficient_scope"),
        (400, "invalid_lane"),
    ]


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "codeloop.db").write_text("this is no database, it is a text " * 100)
    with pytest.raises(StoreError, match=r"codeloop\.db"):
        Store(f"sqlite:///{tmp_path / 'codeloop.db'}")


def test_opening_a_database_twice_keeps_what_is_in_it(database: Path) -> None:
    for expected in (1, 2):
        store = Store(f"sqlite:///{database}")
        KeyRing(store).create("again")
        assert len(KeyRing(store).all()) == expected
        store.close()
