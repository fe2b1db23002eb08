"""HTTP to an engine over its unix socket."""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp

from server.engine import EngineRequest
from server.errors import EngineBroken, EngineGone

PIECE_BYTES = 64 * 1024

READ_BUFFER_BYTES = 256 * 1024
"""What one answer may hold back in us when its client reads slowly; the engine waits past it."""


class EngineLink:
    """A pool of connections to one engine."""

    def __init__(self, socket_path: Path) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(socket_path), limit=0, keepalive_timeout=600),
            timeout=aiohttp.ClientTimeout(total=None),  # every caller has a deadline of its own
            read_bufsize=READ_BUFFER_BYTES,
            auto_decompress=False,
        )

    async def send(
        self, request: EngineRequest, on_close: Callable[[], None] = lambda: None
    ) -> "Answer":
        """Send a request; returns when the answer's status has come. Raises EngineBroken, EngineGone."""
        headers = {"content-type": "application/json"}
        if request.request_id:
            headers["x-request-id"] = request.request_id
        try:
            answer = await self._request(request, headers)
        except aiohttp.ClientConnectionError:
            # A kept connection that the engine has closed meanwhile fails at once. Nothing came
            # back, and a generation changes nothing: once more, on another connection.
            try:
                answer = await self._request(request, headers)
            except aiohttp.ClientConnectorError as error:
                raise EngineGone("The engine has gone away") from error
            except (aiohttp.ClientError, OSError) as error:
                raise EngineBroken(f"The engine went away: {error}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise EngineBroken(f"The engine went away: {error}") from error
        return Answer(answer, on_close)

    async def _request(
        self, request: EngineRequest, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        if self._session.closed:
            # The engine died and was ended while this request was on its way.
            raise EngineGone("The engine has gone away")
        # A large body as a file is written in pieces, and the loop serves others between them.
        is_large = len(request.body) > PIECE_BYTES
        data = io.BytesIO(request.body) if is_large else request.body
        return await self._session.request(
            request.method, "http://engine" + request.path, data=data, headers=headers
        )

    async def close(self) -> None:
        """Close every connection; answers under way break off."""
        await self._session.close()


class Answer:
    """An engine's answer over aiohttp; see `engine.EngineResponse`."""

    def __init__(self, answer: aiohttp.ClientResponse, on_close: Callable[[], None]) -> None:
        self._answer = answer
        self._on_close: Callable[[], None] | None = on_close

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def content_type(self) -> str:
        return self._answer.headers.get("content-type", "application/json")

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise EngineBroken("The engine went away in mid-answer") from error

    async def read(self) -> bytes:
        try:
            return await self._answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise EngineBroken("The engine went away in mid-answer") from error

    def close(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()  # the engine sees the hang-up and frees the slot
        if self._on_close:
            self._on_close()
            self._on_close = None
