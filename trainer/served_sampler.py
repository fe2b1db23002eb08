"""Answers by a codeloop server's train lane, and new weights to it: docs/api.md has the routes.

One request a group, so many at once. A server that is overloaded or starting is asked again for a while; how
long a group may take in all is its caller's deadline.
"""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import aiohttp
import orjson

from evaluator.errors import EndpointFailed
from evaluator.retry import AskAgain, Patience, Retrying, retry_after_seconds
from trainer.errors import SamplerFailed, SamplerMismatch, UpdateFailed
from trainer.rollout import Answer, Drawing, Group, GroupRequest

_LANE = "train"
_OVERLOADED = frozenset({429, 502, 503, 504})
_PATIENCE = Patience(seconds=120.0)
_CONNECT_SECONDS = 10.0
_MOST_PROBE_TOKENS = 4096
_KEPT_ADAPTERS = 2


class ServedSampler:
    """A `Sampler` over HTTP.

    url: of the server, without /v1. model: one whose role there is to sample. label: begins the names
    of versions, so that a name never means two weights; a run that is gone on with adds to it.
    patience: with a server that is overloaded or away.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        key: str = "",
        label: str,
        weights: Literal["in_place", "adapter"] = "in_place",
        concurrency: int = 32,
        patience: Patience = _PATIENCE,
    ) -> None:
        self._url, self._model, self._weights = url.rstrip("/"), model, weights
        self._headers = {"x-codeloop-lane": _LANE}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        # A resumed run may learn other weights for a number that the server has had before.
        self._label = f"{label}.{int(time.time())}"[-48:].lstrip("._-")
        self._free = asyncio.Semaphore(concurrency)
        self._retrying = Retrying(self._url, patience)
        self._session: aiohttp.ClientSession | None = None
        self._asked_model = model
        self._here = Path.cwd()
        self._adapters: list[str] = []

    async def sample(
        self, requests: Sequence[GroupRequest], drawing: Drawing
    ) -> AsyncIterator[Group]:
        """Groups as they come. Raises SamplerFailed, SamplerMismatch."""
        tasks = [asyncio.create_task(self._group(request, drawing)) for request in requests]
        try:
            for done in asyncio.as_completed(tasks):
                yield await done
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def update(self, folder: Path, version: int) -> None:
        """Give the server a version's folder. Raises UpdateFailed."""
        body = {
            "model": self._model,
            "folder": str(self._here / folder),
            "version": f"{self._label}-{version}",
            "mode": self._weights,
        }
        try:
            told = await self._post("/admin/weights", body)
        except SamplerFailed as error:
            raise UpdateFailed(f"version {version} did not reach the sampler: {error}") from error
        if self._weights == "adapter":
            self._asked_model = str(told["model"])
            self._adapters.append(self._asked_model)
            await self._unload_old()

    async def log_probs(
        self, sequences: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], temperature: float
    ) -> list[tuple[float, ...]]:
        """Of each answer's tokens. Raises SamplerFailed."""
        found: list[tuple[float, ...]] = []
        for part in _parts(sequences):
            rows = [{"prompt_ids": prompt, "answer_ids": answer} for prompt, answer in part]
            body = {"model": self._asked_model, "temperature": temperature, "sequences": rows}
            told = await self._post("/v1/log_probs", body)
            found += [tuple(row) for row in told["log_probs"]]
        return found

    async def identify(self) -> dict[str, str]:
        """What the server says of the model. Raises SamplerFailed where it is not there."""
        told = await self._call("GET", "/v1/models", None)
        for entry in told.get("data", ()):
            if entry.get("id") == self._model:
                known = {name: str(value) for name, value in entry.items() if value is not None}
                return known | {"model": self._model, "url": self._url}
        names = ", ".join(str(entry.get("id")) for entry in told.get("data", ()))
        raise SamplerFailed(
            f"the server {self._url} has no model {self._model}, but {names or 'none'}: name one of them"
            " as sampler.model, or serve it with role = 'sampler'"
        )

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()

    async def _group(self, request: GroupRequest, drawing: Drawing) -> Group:
        started = time.monotonic()
        body = {
            "model": self._asked_model,
            "prompt_ids": request.prompt_ids,
            "n": len(request.seeds),
            "temperature": drawing.temperature,
            "max_tokens": drawing.max_new_tokens,
            "stop": list(drawing.stop + request.stop),
        }
        async with self._free:
            told = await self._post("/v1/rollouts", body)
        try:
            answers = tuple(_answer(one) for one in told["answers"])
        except (KeyError, TypeError, ValueError) as error:
            raise SamplerMismatch(
                f"the server {self._url} answered {request.key} in another shape"
                f" ({type(error).__name__}: {error}): it is of another version; install the same one"
            ) from error
        return Group(request=request, answers=answers, sampling_seconds=time.monotonic() - started)

    async def _unload_old(self) -> None:
        while len(self._adapters) > _KEPT_ADAPTERS:
            await self._call("DELETE", f"/admin/weights/{self._adapters.pop(0)}", None)

    async def _post(self, route: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._call("POST", route, body)

    async def _call(
        self, method: str, route: str, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        try:
            told, _ = await self._retrying.until_answered(lambda: self._try(method, route, body))
        except EndpointFailed as error:
            raise SamplerFailed(f"{method} {route}: {error}") from error
        return told

    async def _try(self, method: str, route: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        if self._session is None:
            # No deadline for the whole: an answer may take an hour, and its caller counts.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(
                timeout=timeout,
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=0),
            )
        data = None if body is None else orjson.dumps(body)
        headers = {"content-type": "application/json"}
        try:
            async with self._session.request(
                method, self._url + route, data=data, headers=headers
            ) as response:
                content = await response.read()
                if response.status in _OVERLOADED and not _is_final(content):
                    raise AskAgain(
                        _reason(response.status, content),
                        after_seconds=retry_after_seconds(
                            response.headers.get("Retry-After"), now=dt.datetime.now(dt.UTC)
                        ),
                    )
                if response.status != 200:
                    raise SamplerFailed(
                        f"{method} {self._url}{route}: {_reason(response.status, content)}"
                    )
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise AskAgain(f"{type(error).__name__}: {error}") from error
        try:
            told = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise SamplerFailed(
                f"{method} {self._url}{route} answered no JSON: it is no codeloop server"
            ) from error
        if not isinstance(told, dict):
            raise SamplerFailed(
                f"{method} {self._url}{route} answered no object: it is no codeloop server"
            )
        return told


def _answer(row: Mapping[str, Any]) -> Answer:
    versions: list[int] = []
    for span in row["versions"]:
        versions += [version_number(str(span["version"]))] * (span["end"] - span["start"])
    return Answer(
        token_ids=tuple(row["token_ids"]),
        log_probs=tuple(row["log_probs"]),
        policy_versions=tuple(versions),
        text=row["text"],
        is_cut=row["finish_reason"] == "length",
    )


def version_number(name: str) -> int:
    """The number that a version's name ends in. Raises ValueError."""
    return int(name.rpartition("-")[2])


def _parts(
    sequences: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
) -> list[list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    """Requests of no more answer tokens than one may have."""
    parts: list[list[tuple[tuple[int, ...], tuple[int, ...]]]] = [[]]
    num_tokens = 0
    for prompt, answer in sequences:
        if parts[-1] and num_tokens + len(answer) > _MOST_PROBE_TOKENS:
            parts.append([])
            num_tokens = 0
        parts[-1].append((prompt, answer))
        num_tokens += len(answer)
    return parts


def _reason(status: int, content: bytes) -> str:
    try:
        told = orjson.loads(content)["error"]
        return f"HTTP {status}, {told.get('code')}: {told.get('message')}"
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return f"HTTP {status}: {content[:200].decode(errors='replace')}"


def _is_final(content: bytes) -> bool:
    """Whether the same request would fail again: weights that did not go in."""
    return b"update_failed" in content
