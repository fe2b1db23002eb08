"""A conversation with any OpenAI-compatible endpoint, streamed.

Speaks HTTP and server-sent events itself, so that it needs no SDK and sees what a client sees.
"""

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

import aiohttp

from deploy.errors import ChatError

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 300.0
"""Longest wait for the next byte; a busy server sends comments well before."""

Message = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """url: with the version, as in http://127.0.0.1:8000/v1. key: empty sends none."""

    url: str
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What one answer is asked for; None leaves the choice to the server."""

    model: str
    messages: Sequence[Message]
    temperature: float | None = None
    max_tokens: int | None = None


class Voice(Enum):
    """Whether the model thinks or speaks."""

    REASONING = "reasoning"
    ANSWER = "answer"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some text as it arrived."""

    voice: Voice
    text: str


@dataclass(frozen=True, kw_only=True)
class Finish:
    """How an answer ended. num_tokens: as the server counted, or one a piece where it did not."""

    reason: str
    num_tokens: int
    first_token_seconds: float
    wall_seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Pace after the first token; 0 where there were too few to have one."""
        writing_seconds = self.wall_seconds - self.first_token_seconds
        return (self.num_tokens - 1) / writing_seconds if writing_seconds > 0 else 0.0


class ChatClient:
    """One endpoint, between `open` and `close`. Every call raises ChatError."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._url = endpoint.url.rstrip("/")

    async def open(self) -> Self:
        """Make ready to call; nothing is sent yet."""
        headers = {"Authorization": f"Bearer {self._endpoint.key}"} if self._endpoint.key else {}
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
        )
        self._session = aiohttp.ClientSession(headers=headers, timeout=timeout)
        return self

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    async def models(self) -> Sequence[str]:
        """The names that the endpoint answers to, its default first."""
        async with self._call("GET", "/models") as response:
            try:
                return [model["id"] for model in json.loads(await response.read())["data"]]
            except (ValueError, KeyError, TypeError) as error:
                raise ChatError(
                    f"{self._url}/models did not answer with a list of models: is --url the address"
                    " of an OpenAI-compatible API, with its /v1?"
                ) from error

    async def stream(self, ask: Ask) -> AsyncIterator[Piece | Finish]:
        """The pieces of an answer as they arrive, then its Finish."""
        body: dict[str, Any] = {
            "model": ask.model,
            "messages": list(ask.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": ask.temperature,
            "max_tokens": ask.max_tokens,
        }
        body = {key: value for key, value in body.items() if value is not None}
        began = time.monotonic()
        first_token_at: float | None = None
        reason, num_pieces, num_tokens = "", 0, 0
        async with self._call("POST", "/chat/completions", body) as response:
            async for event in _events(response.content.iter_any()):
                if "error" in event:
                    raise ChatError(f"the server ended the answer: {_error_text(event)}")
                num_tokens = (event.get("usage") or {}).get("completion_tokens") or num_tokens
                for choice in event.get("choices") or ():
                    reason = choice.get("finish_reason") or reason
                    for piece in _pieces(choice.get("delta") or {}):
                        first_token_at = first_token_at or time.monotonic()
                        num_pieces += 1
                        yield piece
        if not reason:
            raise ChatError(
                f"{self._url} broke the answer off before its end: the server or something between"
                " closed the connection; ask again"
            )
        ended = time.monotonic()
        yield Finish(
            reason=reason,
            num_tokens=num_tokens or num_pieces,
            first_token_seconds=(first_token_at or ended) - began,
            wall_seconds=ended - began,
        )

    @asynccontextmanager
    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(method, self._url + path, json=body) as response:
                if response.status != 200:
                    raise ChatError(await self._refusal(response))
                yield response
        except aiohttp.InvalidURL as error:
            raise ChatError(
                f"--url is {self._url!r}: it must be an address such as http://127.0.0.1:8000/v1"
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise ChatError(
                f"nothing answers at {self._url} ({error.strerror or error}): start a server with"
                " `codeloop serve`, or name another with --url"
            ) from error
        except TimeoutError as error:
            raise ChatError(
                f"{self._url} was silent for too long: look at the server's log, or ask again"
            ) from error
        except aiohttp.ClientError as error:
            raise ChatError(f"{self._url} broke off ({error}): ask again") from error

    async def _refusal(self, response: aiohttp.ClientResponse) -> str:
        raw = await response.content.read(64 * 1024)
        try:
            text = _error_text(json.loads(raw))
        except ValueError:
            text = raw.decode(errors="replace")[:200].strip() or response.reason or "no text"
        hint = {
            401: "; give a key with --key or CODELOOP_KEY (`codeloop keys create` makes one)",
            403: "; use a key that may do this",
            404: "; see `codeloop models list`, and that --url ends in /v1",
            429: f"; try again in {response.headers.get('Retry-After', 'some')} s",
            503: f"; try again in {response.headers.get('Retry-After', 'some')} s",
        }.get(response.status, "")
        return f"{self._url} answered {response.status}: {text}{hint}"


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Mapping[str, Any]]:
    """The JSON objects of a server-sent event stream, until [DONE]."""
    held = b""
    async for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                return
            try:
                event = json.loads(data)
            except ValueError as error:
                raise ChatError(
                    f"the server sent an event that is not JSON ({data[:80]!r}): ask again"
                ) from error
            if isinstance(event, dict):
                yield event


def _pieces(delta: Mapping[str, Any]) -> list[Piece]:
    # Servers differ in the name, and ours sends the same text under both.
    reasoning = delta.get("reasoning") or delta.get("reasoning_content")
    texts = ((Voice.REASONING, reasoning), (Voice.ANSWER, delta.get("content")))
    return [Piece(voice=voice, text=text) for voice, text in texts if text]


def _error_text(body: Any) -> str:
    error = body.get("error", body) if isinstance(body, dict) else body
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
