"""Several samplers as one: the free one draws, one failure ends all, new weights reach all or none counts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from trainer.errors import SamplerFailed, SamplerMismatch, UpdateFailed
from trainer.rollout import Answer, Drawing, Group, GroupRequest
from trainer.spread_sampler import SpreadSampler

DRAWING = Drawing(temperature=1.0, max_new_tokens=4)
ANSWER = Answer(token_ids=(1,), log_probs=(-1.0,), policy_versions=(0,), text="", is_cut=False)


class Paced:
    """A sampler that takes its time for a group. fails_at: the number of the group it fails at."""

    def __init__(self, name: str, seconds: float, fails_at: int = -1) -> None:
        self.name, self.drawn, self.version, self.most = name, list[str](), 0, 0
        self._seconds, self._fails_at, self._busy = seconds, fails_at, 0

    async def sample(
        self, requests: Sequence[GroupRequest], drawing: Drawing
    ) -> AsyncIterator[Group]:
        for request in requests:
            self._busy += 1
            self.most = max(self.most, self._busy)
            await asyncio.sleep(self._seconds)
            self._busy -= 1
            if len(self.drawn) == self._fails_at:
                raise SamplerFailed(f"{self.name} has gone")
            self.drawn.append(request.key)
            yield Group(request=request, answers=(ANSWER,), sampling_seconds=self._seconds)

    async def update(self, folder: Path, version: int) -> None:
        if self._fails_at >= 0:
            raise UpdateFailed(f"{self.name} took no weights")
        self.version = version

    async def log_probs(
        self, sequences: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], temperature: float
    ) -> list[tuple[float, ...]]:
        return [(-1.0,) for _ in sequences]

    async def identify(self) -> dict[str, str]:
        return {"url": self.name, "max_model_len": self.name[:1]}

    async def close(self) -> None:
        self.name = "closed"


def requests(count: int) -> list[GroupRequest]:
    return [GroupRequest(key=str(number), prompt_ids=(1,), seeds=(0,)) for number in range(count)]


async def test_each_group_is_drawn_once_and_the_faster_sampler_draws_more() -> None:
    fast, slow = Paced("fast", 0.01), Paced("slow", 0.2)
    both = SpreadSampler([fast, slow], concurrency=2)
    found = [group.request.key async for group in both.sample(requests(30), DRAWING)]
    assert sorted(found, key=int) == [str(number) for number in range(30)]
    assert len(fast.drawn) > len(slow.drawn) > 0
    assert (fast.most, slow.most) == (2, 2)
    await both.close()
    assert (fast.name, slow.name) == ("closed", "closed")


async def test_one_that_fails_ends_the_batch_even_while_its_caller_is_elsewhere() -> None:
    sound, faulty = Paced("sound", 0.01), Paced("faulty", 0.01, fails_at=2)
    both = SpreadSampler([sound, faulty], concurrency=1)

    async def read_slowly() -> None:
        async for _ in both.sample(requests(40), DRAWING):
            await asyncio.sleep(0.05)

    with pytest.raises(SamplerFailed, match="faulty has gone"):
        await read_slowly()
    before = len(sound.drawn)
    await asyncio.sleep(0.05)
    assert len(sound.drawn) == before, "nobody draws for a caller that has left"


async def test_new_weights_reach_all_of_them_or_the_failure_is_told() -> None:
    first, second = Paced("a", 0), Paced("b", 0)
    await SpreadSampler([first, second], concurrency=1).update(Path("v"), 3)
    assert (first.version, second.version) == (3, 3)
    with pytest.raises(UpdateFailed, match="c took no weights"):
        await SpreadSampler([first, Paced("c", 0, fails_at=0)], concurrency=1).update(Path("v"), 4)


async def test_samplers_of_different_models_are_refused() -> None:
    alike = SpreadSampler([Paced("a1", 0), Paced("a2", 0)], concurrency=1)
    assert (await alike.identify())["samplers"] == "2"
    with pytest.raises(SamplerMismatch, match="a1 and b1 differ in max_model_len"):
        await SpreadSampler([Paced("a1", 0), Paced("b1", 0)], concurrency=1).identify()
