"""Usage rows: none lost while the database is away, totals that add up."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from server.engine import TokenCount
from server.keys import KeyRing
from server.metering import Meter, Outcome, Usage, usage_by_key
from server.store import USAGE, Store, utc_now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'codeloop.db'}")
    yield opened
    opened.close()


def usage(key_id: int, outcome: Outcome = Outcome.COMPLETED) -> Usage:
    return Usage(
        request_id="r",
        key_id=key_id,
        route="/v1/completions",
        model="m",
        lane="chat",
        status=200,
        outcome=outcome,
        tokens=TokenCount(prompt=5, completion=7, cached=2),
        queue_seconds=0.0,
        first_token_seconds=None,
        total_seconds=0.1,
    )


async def test_totals_count_every_outcome(store: Store) -> None:
    _, key = KeyRing(store).create("alice")
    meter = Meter(store)
    for outcome in (Outcome.COMPLETED, Outcome.ABORTED, Outcome.FAILED):
        meter.record(usage(key.id, outcome))
    await meter.flush()
    (total,) = usage_by_key(store, since=utc_now() - dt.timedelta(days=1))
    assert total == {
        "prefix": key.prefix,
        "name": "alice",
        "lane": "chat",
        "requests": 3,
        "prompt_tokens": 15,
        "cached_tokens": 6,
        "completion_tokens": 21,
        "not_whole": 2,
    }
    assert usage_by_key(store, since=utc_now() + dt.timedelta(days=1)) == []


async def test_rows_wait_in_order_while_the_database_refuses_writes(store: Store) -> None:
    _, key = KeyRing(store).create("alice")
    meter = Meter(store)
    store.write(sa.text("ALTER TABLE usage RENAME TO away"))
    meter.record(usage(key.id, Outcome.ABORTED))
    meter.record(usage(key.id))
    await meter.flush()
    store.write(sa.text("ALTER TABLE away RENAME TO usage"))
    await meter.flush()
    rows = store.rows(sa.select(USAGE.c.outcome).order_by(USAGE.c.id))
    assert [str(row[0]) for row in rows] == ["aborted", "completed"]
