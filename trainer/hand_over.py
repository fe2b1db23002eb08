"""From learner to sampler: which weights there were after which iteration, and waiting for them."""

import asyncio
from collections.abc import Mapping

from trainer.versions import Published


class HandOver:
    """known: by the iteration after which they were published; those that are still needed."""

    def __init__(self, known: Mapping[int, Published]) -> None:
        self._known = dict(known)
        self._is_new = asyncio.Condition()

    async def published(self, iteration: int) -> Published:
        """The weights after an iteration, once they are there.

        No deadline of its own: whatever the learner does until then has one.
        """
        async with self._is_new:
            await self._is_new.wait_for(lambda: iteration in self._known)
        return self._known[iteration]

    def known(self, iteration: int, otherwise: Published) -> Published:
        """The weights after an iteration if they are kept."""
        return self._known.get(iteration, otherwise)

    async def put(self, iteration: int, published: Published, *, num_kept: int) -> None:
        """Tell of new weights; those of the num_kept last iterations are kept."""
        async with self._is_new:
            self._known[iteration] = published
            self._known.pop(iteration - num_kept, None)
            self._is_new.notify_all()

    @property
    def versions(self) -> set[int]:
        """Those that somebody may still load."""
        return {published.version for published in self._known.values()}
