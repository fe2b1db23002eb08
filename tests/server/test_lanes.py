"""Admission: who gets a slot, who waits, who is refused, and that no slot is ever lost."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from server.errors import ApiError
from server.lanes import Admission
from server.settings import LANES, Lane, LaneSettings

LIMITS: dict[Lane, LaneSettings] = {
    "ide": LaneSettings(share=1.0, queue=2, queue_seconds=5, request_seconds=60),
    "chat": LaneSettings(share=0.75, queue=4, queue_seconds=5, request_seconds=60),
    "eval": LaneSettings(share=0.5, queue=8, queue_seconds=0.05, request_seconds=60),
    "train": LaneSettings(share=0.5, queue=8, queue_seconds=5, request_seconds=60),
}


async def fill(stack: AsyncExitStack, admission: Admission, lane: Lane, count: int) -> None:
    for _ in range(count):
        await stack.enter_async_context(admission.slot(lane))


async def held(admission: Admission, lane: Lane, release: asyncio.Event, order: list[Lane]) -> None:
    async with admission.slot(lane):
        order.append(lane)
        await release.wait()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_lower_lanes_together_leave_the_reserve_of_a_higher_lane_free() -> None:
    admission = Admission(8, LIMITS)
    async with AsyncExitStack() as stack:
        await fill(stack, admission, "eval", 4)
        with pytest.raises(ApiError):  # half is taken: eval's share, counted with train's
            await fill(stack, admission, "eval", 1)
        await fill(stack, admission, "chat", 2)  # three quarters, with eval's
        await fill(stack, admission, "ide", 2)  # the reserve of the editors
        assert [admission.running(lane) for lane in LANES] == [2, 2, 4, 0]


async def test_a_free_slot_goes_to_the_highest_lane_that_waits() -> None:
    admission = Admission(1, LIMITS)
    order: list[Lane] = []
    release = asyncio.Event()
    async with AsyncExitStack() as stack:
        await fill(stack, admission, "ide", 1)
        waiting = [
            asyncio.create_task(held(admission, lane, release, order))
            for lane in ("train", "chat", "ide")
        ]
        await settle()
        assert order == []
        release.set()
    await asyncio.gather(*waiting)
    assert order == ["ide", "chat", "train"]


async def test_a_full_queue_is_refused_at_once_with_a_time_to_come_back() -> None:
    admission = Admission(1, LIMITS)
    release = asyncio.Event()
    async with AsyncExitStack() as stack:
        await fill(stack, admission, "ide", 1)
        waiting = [
            asyncio.create_task(held(admission, "ide", release, []))
            for _ in range(LIMITS["ide"].queue)
        ]
        await settle()
        with pytest.raises(ApiError) as refusal:
            await fill(stack, admission, "ide", 1)
        assert (refusal.value.status, refusal.value.code) == (429, "lane_overloaded")
        assert refusal.value.retry_after_seconds is not None
        assert refusal.value.retry_after_seconds >= 1
        release.set()
    await asyncio.gather(*waiting)


async def test_nobody_waits_past_the_lanes_deadline() -> None:
    admission = Admission(1, LIMITS)
    async with AsyncExitStack() as stack:
        await fill(stack, admission, "ide", 1)
        with pytest.raises(ApiError) as refusal:
            await fill(stack, admission, "eval", 1)
    assert refusal.value.status == 429
    assert "within 0.05 s" in refusal.value.message
    assert admission.waiting("eval") == 0


async def test_a_request_for_more_choices_than_its_lane_has_is_still_admitted() -> None:
    admission = Admission(4, LIMITS)
    async with admission.slot("eval", sequences=100):
        assert admission.running("eval") == 2


async def test_no_slot_is_lost_whatever_is_cancelled_when() -> None:
    """Requests cancelled while they wait, as they are granted, and while they run."""
    admission = Admission(3, LIMITS)
    randomness = random.Random(7)

    async def request(lane: Lane) -> None:
        try:
            async with admission.slot(lane, randomness.choice((1, 1, 2))):
                await asyncio.sleep(randomness.random() * 0.002)
        except ApiError:
            pass

    for _ in range(200):
        tasks = [asyncio.create_task(request(randomness.choice(LANES))) for _ in range(12)]
        for _ in range(randomness.randrange(6)):
            await asyncio.sleep(0)
        for task in tasks:
            if randomness.random() < 0.4:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert [admission.running(lane) for lane in LANES] == [0, 0, 0, 0]
    assert [admission.waiting(lane) for lane in LANES] == [0, 0, 0, 0]
