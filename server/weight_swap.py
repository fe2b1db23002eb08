"""New weights for a running engine: verified, swapped while requests wait, or put back.

Runs in the engine's own process. Promises: what does not verify never touches the engine; requests
under way go on with the new weights; after a failure half-way the engine is on the last good folder
again, or is given up so that its supervisor starts it anew. Mixed weights never generate.
"""

import asyncio
import logging
import time
from pathlib import Path
from typing import Protocol

from server.engine import FIRST_VERSION, LoadedWeights, SwapReport
from server.errors import UpdateFailed
from server.weight_folder import VerifiedFolder, verify_weights

log = logging.getLogger(__name__)


class SwappableEngine(Protocol):
    """What a swap needs of an engine. Any of them may raise whatever the engine raises."""

    async def pause(self) -> None:
        """Stop between two steps; requests are kept, caches of the old weights dropped."""

    async def transfer(self, folder: VerifiedFolder) -> None:
        """Load the weights on every rank. Raises when it failed, on whichever rank."""

    async def probe(self) -> None:
        """One forward pass. Raises when what comes out is no number."""

    async def set_version(self, version: str) -> None:
        """Stamp the tokens from now on."""

    async def resume(self) -> None:
        """Go on."""

    def give_up(self) -> None:
        """End the process; the supervisor starts another."""


class WeightSwap:
    """The weights of one engine.

    running: the folder that the engine was started from; None for an engine without a model.
    """

    def __init__(self, engine: SwappableEngine, running: Path | None) -> None:
        self._engine = engine
        self._running = running
        self._good: VerifiedFolder | None = None
        self._verified: VerifiedFolder | None = None
        # One swap at a time: two would interleave their layers.
        self._lock = asyncio.Lock()
        self.weights = LoadedWeights(version=FIRST_VERSION, folder=str(running or ""))

    async def verify(self, folder: Path) -> VerifiedFolder:
        """The folder, looked over while requests go on. Raises ModelCorrupt and WeightsRefused."""
        self._verified = await asyncio.to_thread(verify_weights, folder, self._running)
        return self._verified

    async def load(self, folder: Path, version: str) -> SwapReport:
        """Generate from the folder from now on.

        Raises ModelCorrupt and WeightsRefused, and UpdateFailed when it verified and did not go in.
        """
        async with self._lock:
            found = self._verified
            if found is None or found.path != folder or not found.is_unchanged():
                found = await self.verify(folder)
            began = time.monotonic()
            await self._swap(found, version)
            previous = self.weights.version
            self._good = found
            self.weights = LoadedWeights(version=version, folder=str(folder), digest=found.digest)
            report = SwapReport(
                weights=self.weights,
                previous_version=previous,
                num_bytes=found.num_bytes,
                verify_seconds=found.seconds,
                pause_seconds=time.monotonic() - began,
            )
        log.info("weights %s after %s in %.3f s", version, previous, report.pause_seconds)
        return report

    async def _swap(self, found: VerifiedFolder, version: str) -> None:
        is_sound = False
        await self._engine.pause()
        try:
            await self._engine.transfer(found)
            await self._engine.probe()
            await self._engine.set_version(version)
            is_sound = True
        except Exception as error:
            log.exception("version %s did not go in", version)
            await self._restore()
            is_sound = True
            raise UpdateFailed(
                f"version {version} from {found.path} did not go in: {error}; version"
                f" {self.weights.version} answers as before"
            ) from error
        finally:
            if is_sound:
                await self._engine.resume()
            else:
                self._engine.give_up()

    async def _restore(self) -> None:
        """The last good weights again. Raises UpdateFailed when they do not go in either."""
        try:
            good = self._good
            if good is None and self._running is not None:
                good = await asyncio.to_thread(verify_weights, self._running, None)
            if good is not None:
                if not good.is_unchanged():
                    raise UpdateFailed(f"{good.path} was changed or removed since it was loaded")
                await self._engine.transfer(good)
                await self._engine.probe()
            await self._engine.set_version(self.weights.version)
        except Exception as error:
            log.exception("version %s did not come back", self.weights.version)
            raise UpdateFailed(
                f"neither the new weights nor version {self.weights.version} went in: {error}; the"
                " engine is started again"
            ) from error
