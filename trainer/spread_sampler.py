"""Several samplers of one policy as one: whoever is free draws the next group."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from trainer.errors import SamplerMismatch
from trainer.rollout import Drawing, Group, GroupRequest, Sampler

_SAME = ("tokenizer", "max_model_len")
"""Weights need not be the same: a run begins with giving them its own."""


class SpreadSampler:
    """A `Sampler` of many. concurrency: groups that each of them draws at a time.

    What one of them raises ends the whole: a batch is drawn from one version, or not at all.
    """

    def __init__(self, samplers: Sequence[Sampler], *, concurrency: int) -> None:
        self._samplers, self._concurrency = tuple(samplers), concurrency

    async def sample(
        self, requests: Sequence[GroupRequest], drawing: Drawing
    ) -> AsyncIterator[Group]:
        """Groups as they come. Raises SamplerFailed, SamplerMismatch."""
        waiting, drawn = deque(requests), asyncio.Queue[Group]()

        async def draw(sampler: Sampler) -> None:
            while waiting:
                async for group in sampler.sample([waiting.popleft()], drawing):
                    drawn.put_nowait(group)

        lanes = [
            asyncio.create_task(draw(sampler))
            for _ in range(min(self._concurrency, len(requests)))
            for sampler in self._samplers
        ]
        try:
            for _ in requests:
                yield await _next(drawn, lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def update(self, folder: Path, version: int) -> None:
        """All at the same time. Raises UpdateFailed."""
        updates = [sampler.update(folder, version) for sampler in self._samplers]
        for told in await asyncio.gather(*updates, return_exceptions=True):
            if told is not None:
                raise told

    async def log_probs(
        self, sequences: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], temperature: float
    ) -> list[tuple[float, ...]]:
        """The first one's. Raises SamplerFailed."""
        return await self._samplers[0].log_probs(sequences, temperature)

    async def identify(self) -> dict[str, str]:
        """The first one's. Raises SamplerMismatch where another has another model."""
        known = [await sampler.identify() for sampler in self._samplers]
        for other in known[1:]:
            for name in _SAME:
                if known[0].get(name) != other.get(name):
                    raise SamplerMismatch(
                        f"the samplers {known[0].get('url')} and {other.get('url')} differ in {name}:"
                        f" {known[0].get(name)} and {other.get(name)}; serve one model on all of them, set up alike"
                    )
        return known[0] | {"samplers": str(len(known))}

    async def close(self) -> None:
        """Let go of all."""
        await asyncio.gather(*(sampler.close() for sampler in self._samplers))


async def _next(drawn: asyncio.Queue[Group], lanes: Sequence[asyncio.Task[None]]) -> Group:
    """The next group, unless a lane has failed."""
    while drawn.empty():
        for lane in lanes:
            if lane.done():
                lane.result()
        arrival = asyncio.create_task(drawn.get())
        busy = [lane for lane in lanes if not lane.done()]
        done, _ = await asyncio.wait([arrival, *busy], return_when=asyncio.FIRST_COMPLETED)
        if arrival in done:
            return arrival.result()
        arrival.cancel()
    return drawn.get_nowait()
