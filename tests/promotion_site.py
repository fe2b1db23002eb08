"""One server over the scripted engine whose versions are promoted, with its catalog and a client."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from deploy.launch import Launched
from server.version_catalog import VersionCatalog
from server.version_states import State

MODEL = "scripted"


class Site:
    """One server, its catalog of versions, and a client of both."""

    def __init__(
        self, server: Launched, http: aiohttp.ClientSession, published: Any, folder: Path
    ) -> None:
        self.server = server
        self._http = http
        self._published = published
        self._folder = folder

    @contextmanager
    def catalog(self) -> Iterator[VersionCatalog]:
        store = self.server.store()
        try:
            yield VersionCatalog(store, self.server.home / "versions")
        finally:
            store.close()

    def publish(
        self, version: str, *, state: State = State.GATED, kind: str = "version", **training: Any
    ) -> Path:
        """A version in the catalog, taken as far as `state`; its folder there."""
        write = getattr(self._published, f"write_{kind}")
        source = write(self._folder / f"{version}-source", seed=len(version), **training)
        with self.catalog() as catalog:
            catalog.adopt_base(MODEL, self._folder / "base", actor="test")
            found = catalog.publish(MODEL, source, version=version, actor="test")
            if state is State.GATED:
                catalog.advance(MODEL, version, state, actor="test", reason="passed")
        return found.folder

    def state_of(self, version: str) -> State:
        with self.catalog() as catalog:
            return catalog.get(MODEL, version).state

    async def __call__(
        self, method: str, path: str, body: Any = None, lane: str = "chat"
    ) -> tuple[int, dict[str, Any]]:
        headers = {"authorization": f"Bearer {self.server.key}", "x-codeloop-lane": lane}
        url = self.server.base_url + path
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def promote(self, version: str, **more: Any) -> tuple[int, dict[str, Any]]:
        return await self("POST", "/admin/promotions", {"version": version, **more})

    async def roll_back(self, **more: Any) -> tuple[int, dict[str, Any]]:
        return await self("POST", "/admin/rollback", more)

    async def answer(self, model: str = MODEL, num_tokens: int = 3) -> tuple[int, str]:
        """The status, and the version that answers or the error's code."""
        body = {"model": model, "prompt": "x", "max_tokens": num_tokens}
        status, answer = await self("POST", "/v1/completions", body)
        return status, str(answer.get("system_fingerprint") or answer["error"]["code"])

    async def ask(self, model: str = MODEL, num_tokens: int = 3) -> str:
        """The version that answers."""
        status, told = await self.answer(model, num_tokens)
        assert status == 200, told
        return told

    async def state(self) -> dict[str, Any]:
        _, found = await self("GET", "/admin/promotions")
        (model,) = found["models"]
        return dict(model)

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(60):
            while not await is_so():
                await asyncio.sleep(0.05)
