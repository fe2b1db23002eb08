"""What the loop asks of its server: which weights each engine has, and new ones for it."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from deploy.errors import LoopFailed

UPDATE_SECONDS = 600.0
GONE = frozenset({502, 503, 504})
BUSY = frozenset({"update_in_progress", "promotion_in_progress"})


class ServerGone(LoopFailed):
    """It does not answer now, or is busy with another update; later it may."""


@dataclass(frozen=True, kw_only=True)
class EngineWeights:
    """What an engine answers from."""

    version: str
    folder: Path
    digest: str | None


class ServerClient:
    """A codeloop server. url: without /v1. key: with the scopes admin, train and evaluate."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {key}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=UPDATE_SECONDS, connect=10)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def weights(self, model: str) -> EngineWeights:
        """Raises LoopFailed."""
        told = await self.call("GET", "/admin/weights")
        row = next((one for one in told["models"] if one["model"] == model), None)
        if row is None:
            raise LoopFailed(f"{self._url} serves no model {model!r}: see the settings' models")
        return EngineWeights(
            version=row["version"], folder=Path(row["folder"]), digest=row["weights_digest"]
        )

    async def have(self, model: str, folder: Path, version: str) -> None:
        """Let a sampler answer from a version's folder, unless it does already. Raises LoopFailed."""
        now = await self.weights(model)
        # Without a digest nobody could tell later which weights were evaluated.
        if now.version != version or now.digest is None:
            body = {"model": model, "folder": str(folder), "version": version, "mode": "in_place"}
            await self.call("POST", "/admin/weights", body)

    async def call(self, method: str, route: str, body: Any = None) -> dict[str, Any]:
        """One request. Raises LoopFailed with what the server says."""
        assert self._session is not None
        try:
            async with self._session.request(method, self._url + route, json=body) as answer:
                told: dict[str, Any] = await answer.json()
                if answer.status != 200:
                    error = told.get("error", {})
                    message = error.get("message", told)
                    is_later = answer.status in GONE or error.get("code") in BUSY
                    kind = ServerGone if is_later else LoopFailed
                    raise kind(f"{method} {self._url}{route}: {answer.status}, {message}")
                return told
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ServerGone(
                f"{method} {self._url}{route}: {type(error).__name__}, {error}; is the server up?"
            ) from error
