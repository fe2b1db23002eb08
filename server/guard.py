"""The first answers of a version that has just gone live: too many failures, and it is taken back."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from server.canary import GUARD_MARGINS, CanaryWatch
from server.catalog import Catalog
from server.version_record import Version

GUARDED_ANSWERS = 200


class Guards:
    """Those of all models. take_back: told once of a version that fails."""

    def __init__(
        self, catalog: Catalog, take_back: Callable[[Version, CanaryWatch], Awaitable[None]]
    ) -> None:
        self._catalog = catalog
        self._take_back = take_back
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self, found: Version) -> None:
        """Watch it over its first answers to users."""
        watch = CanaryWatch(GUARDED_ANSWERS, partial(self._decided, found), margins=GUARD_MARGINS)
        self._catalog.set_guard(found.model, watch)

    def end(self, model: str) -> None:
        """Watch no more."""
        self._catalog.set_guard(model, None)

    def _decided(self, found: Version, watch: CanaryWatch) -> None:
        """Told as an answer ends, so what follows is a task of its own."""
        self.end(found.model)
        if watch.answer == "regresses":
            task = asyncio.create_task(self._act(found, watch))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _act(self, found: Version, watch: CanaryWatch) -> None:
        await self._take_back(found, watch)
