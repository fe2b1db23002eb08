"""Canaries through the gateway, over the scripted engine; and the rule, on cases worked by hand."""

import asyncio
from typing import Any

import pytest

from server.canary import (
    CanaryWatch,
    Observation,
    Split,
    binomial_tail,
    difference_low,
    is_repetitive,
    wilson,
)
from server.version_states import State

MODEL = "scripted"


def seen(
    *, failed: bool = False, truncated: bool = False, first: float | None = 0.1
) -> Observation:
    return Observation(
        is_failed=failed,
        is_truncated=truncated,
        is_repeated=False,
        first_seconds=first,
        token_seconds=None,
    )


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe 1998, table I: 81 of 263, 95%.
    low, high = wilson(81, 263, z=1.959964)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_the_bound_of_a_difference_is_the_published_one() -> None:
    # Newcombe 1998 (differences), case (a): 56/70 - 48/80, method 10: 0.0524 to 0.3339.
    assert round(difference_low(56, 70, 48, 80, z=1.959964), 4) == 0.0524


def test_a_share_is_dealt_by_the_request_and_named_keys_go_whole() -> None:
    split = Split(share=0.05, key_prefixes=frozenset({"abc"}))
    taken = sum(split.takes(f"request-{number}", "other") for number in range(10_000))
    assert 400 < taken < 600
    assert all(split.takes(f"request-{number}", "abc") for number in range(100))
    assert split.takes("x", "other") == split.takes("x", "other")


def test_a_canary_that_is_as_good_holds_after_its_requests() -> None:
    told: list[CanaryWatch] = []
    watch = CanaryWatch(20, told.append)
    for number in range(20):
        watch.observe("live", seen(truncated=number % 4 == 0))
        watch.observe("canary", seen(truncated=number % 4 == 0))
    assert (watch.answer, told) == ("holds", [watch])


@pytest.mark.parametrize(
    ("canary", "words"),
    [
        (seen(failed=True), "failed"),
        (seen(truncated=True), "truncated"),
        (seen(first=0.3), "first_seconds"),
    ],
)
def test_a_canary_that_is_worse_is_found_before_its_requests_are_over(
    canary: Observation, words: str
) -> None:
    told: list[CanaryWatch] = []
    watch = CanaryWatch(1000, told.append)
    for _ in range(25):
        watch.observe("live", seen())
        watch.observe("canary", canary)
    assert (watch.answer, len(told)) == ("regresses", 1)
    assert words in watch.reasons[0]


def test_one_bad_answer_of_a_new_canary_decides_nothing() -> None:
    watch = CanaryWatch(1000, lambda _: None)
    for _ in range(20):
        watch.observe("live", seen())
        watch.observe("canary", seen())
    watch.observe("canary", seen(failed=True))
    assert watch.answer == "open"


@pytest.mark.parametrize("num_live", [0, 1000])
def test_one_failure_among_the_first_answers_decides_nothing(num_live: int) -> None:
    watch = CanaryWatch(1000, lambda _: None)
    for _ in range(num_live):
        watch.observe("live", seen())
    for number in range(5):
        watch.observe("canary", seen(failed=number == 3))
    assert watch.answer == "open"


def test_the_chance_of_so_many_events_is_the_binomial_one() -> None:
    # By hand: 1 - 0.99^5, and of 2 in 3 at a half: (3 + 1) / 8.
    assert binomial_tail(1, 5, 0.01) == pytest.approx(1 - 0.99**5)
    assert binomial_tail(2, 3, 0.5) == pytest.approx(0.5)


def test_text_that_goes_round_in_circles_is_told_from_code() -> None:
    circle = "    return a + b\n" * 200
    code = "".join(f"def f{n}(x, y):\n    z = x * {n * 37 % 91} + y\n" for n in range(60))
    assert is_repetitive(circle)
    assert not is_repetitive(code)


@pytest.fixture
def candidates(site: Any) -> Any:
    """Start a site with the gated adapters `good` and `worse`; keywords as of `site`."""

    def start(script: str = "") -> Any:
        here = site(script, model="adapters = 3")
        for version in ("good", "worse"):
            here.publish(version, kind="adapter")
        return here

    return start


async def answers_until(here: Any, version: str, state: State) -> list[tuple[int, str]]:
    """Users' answers up to the version's arrival at the state."""
    answers: list[tuple[int, str]] = []
    async with asyncio.timeout(60):
        while here.state_of(version) is not state:
            answers += await asyncio.gather(*(here.answer(num_tokens=64) for _ in range(10)))
    return answers


async def test_a_canary_that_holds_goes_live_by_itself(candidates: Any) -> None:
    here = candidates()
    status, done = await here.promote("good", canary=0.3, canary_requests=12)
    assert status == 200, done
    assert here.state_of("good") is State.CANARY
    pinned = [await here.answer(f"{MODEL}@{version}") for version in ("0", "good")]
    assert pinned == [(200, "scripted@0"), (200, "scripted@good")]
    answers = await answers_until(here, "good", State.LIVE)
    assert {status for status, _ in answers} == {200}
    assert {name for _, name in answers} == {"scripted@0", "scripted@good"}
    assert await here.answer() == (200, "scripted@good")


async def test_a_canary_that_fails_is_taken_back_and_rejected_by_itself(candidates: Any) -> None:
    # The engine ends the connection in mid-answer for whatever names the worse version.
    here = candidates("[[faults]]\nkind = 'hang_up'\nwhen = '@worse'\nafter_tokens = 8\n")
    assert (await here.promote("worse", canary=0.3, canary_requests=1000))[0] == 200
    await answers_until(here, "worse", State.REJECTED)
    answers = await asyncio.gather(*(here.answer() for _ in range(30)))
    assert set(answers) == {(200, "scripted@0")}
    assert (await here.state())["canary"] is None


async def test_a_canary_is_withdrawn_when_a_person_says_so(candidates: Any) -> None:
    here = candidates()
    assert (await here.promote("good", canary=0.5))[0] == 200
    status, answer = await here.promote("worse", canary=0.5)
    assert (status, answer["error"]["code"]) == (409, "version_conflict")
    assert (await here.roll_back(canary=True))[0] == 200
    assert here.state_of("good") is State.GATED
    answers = await asyncio.gather(*(here.answer() for _ in range(20)))
    assert set(answers) == {(200, "scripted@0")}


async def test_a_version_that_fails_once_it_is_live_is_taken_back_and_rejected(
    candidates: Any,
) -> None:
    here = candidates("[[faults]]\nkind = 'hang_up'\nwhen = '@worse'\nafter_tokens = 8\n")
    assert (await here.promote("worse"))[0] == 200
    await answers_until(here, "worse", State.REJECTED)
    assert await here.answer() == (200, "scripted@0")
    assert here.state_of("0") is State.LIVE
