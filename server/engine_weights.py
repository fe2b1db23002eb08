"""An engine child's control routes for weights and adapters, called over its private socket."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from server.engine import EngineRequest, FolderFacts, LoadedWeights, SwapReport
from server.engine_control import ADAPTER_PATH, REFUSED, UNLOAD_PATH, VERIFY_PATH, WEIGHTS_PATH
from server.engine_link import EngineLink
from server.errors import EngineBroken, UpdateFailed, WeightsRefused


async def verify_weights(link: EngineLink, folder: Path, *, seconds: float) -> FolderFacts:
    """Look a folder over. Raises WeightsRefused, UpdateFailed, EngineBroken."""
    try:
        return FolderFacts(**await _call(link, VERIFY_PATH, seconds, folder=str(folder)))
    except TimeoutError:
        raise _too_slow(f"{folder} was not verified", seconds) from None


async def load_weights(
    link: EngineLink, folder: Path, version: str, *, seconds: float
) -> SwapReport:
    """Swap. Raises WeightsRefused, UpdateFailed, and TimeoutError when nobody knows how it ended."""
    try:
        body = await _call(link, WEIGHTS_PATH, seconds, folder=str(folder), version=version)
    except EngineBroken as error:
        raise UpdateFailed(
            f"version {version} did not go in: {error}; the engine is started again on the version"
            " before"
        ) from error
    return SwapReport(**{**body, "weights": LoadedWeights(**body["weights"])})


async def load_adapter(link: EngineLink, name: str, folder: Path, *, seconds: float) -> FolderFacts:
    """Load an adapter. Raises WeightsRefused, UpdateFailed, EngineBroken."""
    try:
        body = await _call(link, ADAPTER_PATH, seconds, name=name, folder=str(folder))
    except TimeoutError:
        raise _too_slow(f"the adapter {name} was not loaded", seconds) from None
    return FolderFacts(**body)


async def unload_adapter(link: EngineLink, name: str, *, seconds: float) -> None:
    """Forget an adapter. Raises UpdateFailed, EngineBroken."""
    try:
        await _call(link, UNLOAD_PATH, seconds, name=name)
    except TimeoutError:
        raise _too_slow(f"the adapter {name} was not unloaded", seconds) from None


async def _call(link: EngineLink, path: str, seconds: float, **body: str) -> Mapping[str, Any]:
    async with asyncio.timeout(seconds):
        answer = await link.send(EngineRequest(path=path, body=orjson.dumps(body)))
        try:
            content = await answer.read()
        finally:
            answer.close()
    found: dict[str, Any] = orjson.loads(content)
    if answer.status == 200:
        return found
    message = str(found.get("error", {}).get("message", found))
    raise (WeightsRefused if answer.status == REFUSED else UpdateFailed)(message)


def _too_slow(what: str, seconds: float) -> UpdateFailed:
    return UpdateFailed(f"{what} within {seconds:g} s; look at the disk and at the engine's log")
