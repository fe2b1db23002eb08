"""The control routes of an engine child, the same for every engine: weights, adapters, token sampling.

They are on the child's private socket only; nothing but the gateway reaches it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import orjson

from server.adapter_folder import verify_adapter
from server.errors import ModelError, UpdateFailed
from server.weight_folder import VerifiedFolder
from server.weight_swap import WeightSwap

log = logging.getLogger(__name__)

WEIGHTS_PATH = "/codeloop/weights"
"""POST {folder, version}: swap. GET: what is loaded."""
VERIFY_PATH = "/codeloop/weights/verify"
"""POST {folder}: look it over; the swap of it that follows does not read it again."""
ADAPTER_PATH = "/codeloop/adapters/load"
"""POST {name, folder}."""
UNLOAD_PATH = "/codeloop/adapters/unload"
"""POST {name}."""
ROLLOUTS_PATH = "/v1/rollouts"
LOG_PROBS_PATH = "/v1/log_probs"

REFUSED = 422
FAILED = 500


class Adapters(Protocol):
    """The adapters of an engine."""

    async def load(self, name: str, folder: VerifiedFolder) -> None: ...
    async def unload(self, name: str) -> None: ...


class Sampler(Protocol):
    """Answers in token ids; bodies as in docs/api.md. Raises ValueError for what cannot be asked."""

    async def rollouts(self, body: dict[str, Any], request_id: str) -> dict[str, Any]: ...
    async def log_probs(self, body: dict[str, Any], request_id: str) -> dict[str, Any]: ...


class EngineControl:
    """ASGI for the paths in `self.paths`. adapter_rank: the largest that the engine was started for."""

    def __init__(
        self,
        swap: WeightSwap,
        adapters: Adapters,
        sampler: Sampler,
        *,
        running: Path | None,
        adapter_rank: int,
    ) -> None:
        self._swap = swap
        self._adapters = adapters
        self._sampler = sampler
        self._running = running
        self._adapter_rank = adapter_rank
        self._routes: Mapping[str, Callable[[dict[str, Any], str], Awaitable[object]]] = {
            WEIGHTS_PATH: self._weights,
            VERIFY_PATH: self._verify,
            ADAPTER_PATH: self._load_adapter,
            UNLOAD_PATH: self._unload_adapter,
            ROLLOUTS_PATH: sampler.rollouts,
            LOG_PROBS_PATH: sampler.log_probs,
        }
        self.paths = frozenset(self._routes)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request to one of `paths`."""
        request_id = dict(scope["headers"]).get(b"x-request-id", b"").decode()
        body = await read_body(receive)
        status, answer = 200, None
        try:
            answer = await self._routes[scope["path"]](body, request_id)
        except ModelError as error:
            status, answer = REFUSED, _error(error, "WeightsRefused", REFUSED)
        except UpdateFailed as error:
            status, answer = FAILED, _error(error, "UpdateFailed", FAILED)
        except ValueError as error:
            status, answer = 400, _error(error, "BadRequestError", 400)
        except Exception as error:
            log.exception("%s failed", scope["path"])
            status, answer = FAILED, _error(error, "InternalServerError", FAILED)
        await answer_bytes(send, status, orjson.dumps(answer))

    async def _weights(self, body: dict[str, Any], request_id: str) -> object:
        if not body:
            return asdict(self._swap.weights)
        return asdict(await self._swap.load(Path(body["folder"]), body["version"]))

    async def _verify(self, body: dict[str, Any], request_id: str) -> object:
        found = await self._swap.verify(Path(body["folder"]))
        return {"digest": found.digest, "num_bytes": found.num_bytes, "seconds": found.seconds}

    async def _load_adapter(self, body: dict[str, Any], request_id: str) -> object:
        found = await asyncio.to_thread(
            verify_adapter, Path(body["folder"]), self._running, most_rank=self._adapter_rank
        )
        await self._adapters.load(body["name"], found)
        return {"digest": found.digest, "num_bytes": found.num_bytes, "seconds": found.seconds}

    async def _unload_adapter(self, body: dict[str, Any], request_id: str) -> object:
        await self._adapters.unload(body["name"])
        return {}


async def read_body(receive: Any) -> dict[str, Any]:
    """The JSON object of a request over raw ASGI; empty when there is no body."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return orjson.loads(b"".join(parts) or b"{}")  # type: ignore[no-any-return]


async def answer_bytes(
    send: Any, status: int, content: bytes, content_type: bytes = b"application/json"
) -> None:
    """Send one small answer over raw ASGI."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _error(error: Exception, kind: str, code: int) -> dict[str, object]:
    return {"error": {"message": str(error), "type": kind, "param": None, "code": code}}
