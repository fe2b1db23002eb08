"""A thin client for an OpenAI-compatible server: ours, or another one that is named by its URL.

Chat goes to /chat/completions, text and gaps to /completions (a gap's second text as `suffix`).
Streams by default: a long answer then shows that it lives, and its first token's time is known.
"""

import asyncio
import datetime as dt
import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from evaluator.completer import Completion, Sampling
from evaluator.errors import AccessRefused, EndpointFailed, RequestRefused
from evaluator.http_answer import Answer, EventLines, error_text, take_event, whole_answer
from evaluator.prompt import Chat, Infill, Prompt
from evaluator.retry import (
    NEVER_ANSWERS,
    RETRIED,
    AskAgain,
    Patience,
    Retrying,
    retry_after_seconds,
)

log = logging.getLogger(__name__)

MOST_ANSWER_BYTES = 256 << 20
"""A stream of 64K tokens takes some 15 MB; what is longer than this never ends."""
LANE_HEADER = "x-codeloop-lane"
_IDENTITY = [
    "max_model_len",
    "family",
    "weights",
    "weights_digest",
    "version",
    "policy_version",
    "sha256",
    "quantization",
    "dtype",
    "engine",
    "engine_version",
    "owned_by",
    "parent",
]
_CONTEXT = re.compile(r"maximum context length is (\d+) tokens", re.IGNORECASE)
_ASKED = re.compile(r"(\d+) (?:input tokens|in the (?:messages|prompt))")
_LEAST_ROOM_TOKENS = 16


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Longest waits. first_byte_seconds: a plain answer comes only when it is whole."""

    connect_seconds: float = 10.0
    first_byte_seconds: float = 900.0
    between_bytes_seconds: float = 120.0


class HttpCompleter:
    """One endpoint and one model of it. model: "" asks for the first one that it lists."""

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        key: str = "",
        lane: str = "",
        streams: bool = True,
        deadlines: Deadlines | None = None,
        patience: Patience | None = None,
    ) -> None:
        """url: with or without /v1 at its end, as OpenAI clients take it or as a browser does."""
        self.url = url.rstrip("/")
        self.model = model
        self._headers = {"content-type": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        if lane:
            self._headers[LANE_HEADER] = lane
        self._streams = streams
        self._deadlines = deadlines or Deadlines()
        self._retrying = Retrying(self.url, patience or Patience())
        self._session: aiohttp.ClientSession | None = None
        self._most_tokens: int | None = None
        self._has_told_of_room = False

    async def complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        """One completion. Raises EndpointFailed, or its kinds RequestRefused and AccessRefused.

        Where prompt and max_tokens together pass the context, what is left of it is asked for.
        """
        path, body = _request(prompt, sampling, self.model)
        if self._most_tokens is not None and sampling.max_tokens > self._most_tokens:
            body["max_tokens"] = self._most_tokens
            self._tell_of_room()
        if self._streams:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        try:
            return await self._complete(path, body)
        except RequestRefused as refusal:
            room = _room_tokens(str(refusal))
            if room is None or room >= sampling.max_tokens:
                raise
            self._tell_of_room()
            return await self._complete(path, body | {"max_tokens": room})

    def _tell_of_room(self) -> None:
        if not self._has_told_of_room:
            log.warning("max_tokens passes the model's context: what is left of it is asked for")
            self._has_told_of_room = True

    async def _complete(self, path: str, body: dict[str, Any]) -> Completion:
        content = orjson.dumps(body)
        (answer, seconds, first_seconds), num_retries = await self._retrying.until_answered(
            lambda: self._ask(path, content)
        )
        return Completion(
            text="".join(answer.texts),
            reasoning="".join(answer.reasonings),
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            # An endpoint that does not count sends about one token an event.
            completion_tokens=answer.completion_tokens or (self._streams and answer.num_events),
            latency_seconds=seconds,
            first_token_seconds=first_seconds,
            num_retries=num_retries,
            model_version=answer.model_version,
        )

    async def _ask(self, path: str, content: bytes) -> tuple[Answer, float, float | None]:
        """One try: the answer, its latency, and the time of its first token."""
        began_seconds = time.monotonic()
        first_seconds: float | None = None
        num_bytes, parts = 0, list[bytes]()
        answer, lines = Answer(), EventLines()
        async with self._response("POST", path, content) as (response, deadline):
            is_stream = response.content_type == "text/event-stream"
            async for chunk in response.content.iter_any():
                deadline.reschedule(self._now() + self._deadlines.between_bytes_seconds)
                num_bytes += len(chunk)
                if num_bytes > MOST_ANSWER_BYTES:
                    raise RequestRefused(
                        f"{self.url} sent more than {MOST_ANSWER_BYTES >> 20} MiB in one answer: it"
                        " was left; lower --max-tokens"
                    )
                if not is_stream:
                    parts.append(chunk)
                    continue
                for data in lines.feed(chunk):
                    if take_event(answer, data) and first_seconds is None:
                        first_seconds = time.monotonic() - began_seconds
        if not is_stream:
            answer = whole_answer(b"".join(parts))
        elif not answer.has_ended and not answer.finish_reason:
            raise AskAgain("a stream that broke off")
        elif not answer.finish_reason and not answer.num_events:
            raise AskAgain("a stream without choices")
        return answer, time.monotonic() - began_seconds, first_seconds

    @asynccontextmanager
    async def _response(
        self, method: str, path: str, content: bytes | None = None
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, asyncio.Timeout]]:
        """A response of status 200, under a deadline that its reader moves on."""
        limits = self._deadlines
        try:
            async with (
                asyncio.timeout(limits.first_byte_seconds) as deadline,
                self._opened().request(
                    method, self.url + path, data=content, headers=self._headers
                ) as response,
            ):
                if response.status >= 400:
                    self._refuse(response, await response.read())
                yield response, deadline
        except TimeoutError as error:
            raise AskAgain(
                f"nothing for {limits.first_byte_seconds:g} s, or for"
                f" {limits.between_bytes_seconds:g} s in mid-answer"
            ) from error
        except aiohttp.InvalidURL as error:
            raise AccessRefused(
                f"{self.url} is no URL: name one such as http://127.0.0.1:8000/v1"
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise AskAgain(f"{type(error).__name__}: {error}") from error

    def _refuse(self, response: aiohttp.ClientResponse, content: bytes) -> None:
        status, said = response.status, error_text(content)
        told = f"status {status}: {said}"
        if status in RETRIED:
            now = dt.datetime.now(dt.UTC)
            after = retry_after_seconds(response.headers.get("retry-after"), now=now)
            asks = "" if after is None else f" (asks to wait {after:g} s)"
            raise AskAgain(told + asks, after_seconds=after)
        if status in NEVER_ANSWERS:
            raise AccessRefused(
                f"{response.url} answered with {told}; check --model, --model-name and --key or"
                " CODELOOP_KEY, then run the same command with --resume"
            )
        raise RequestRefused(f"{response.url} refused the request with {told}")

    async def identify(self) -> dict[str, str]:
        """The URL, the model, and what /models says of it. Raises EndpointFailed."""
        found = {"url": self.url, "client": "http", "model": self.model}
        try:
            (listed, _) = await self._retrying.until_answered(self._models)
        except AccessRefused:
            if not self.model:
                raise
            return found  # not every server lists its models; the first request will tell
        card = next((c for c in listed if self.model in (c.get("id"), *_aliases(c))), None)
        if card is None and not self.model and listed:
            card = listed[0]
            self.model = found["model"] = str(card.get("id"))
        if not self.model:
            raise EndpointFailed(f"{self.url}/models names no model: name one with --model-name")
        if card is not None:
            found |= {name: str(card[name]) for name in _IDENTITY if card.get(name)}
            length = card.get("max_model_len")
            self._most_tokens = length if isinstance(length, int) else None
        return found

    async def _models(self) -> list[Mapping[str, Any]]:
        async with self._response("GET", "/models") as (response, _):
            content = await response.read()
        try:
            return [card for card in orjson.loads(content)["data"] if isinstance(card, dict)]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise AskAgain(f"a list of models that is none ({error})") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=self._deadlines.connect_seconds
            )
            # How many run at once is the run's business.
            self._session = aiohttp.ClientSession(
                timeout=timeout, connector=aiohttp.TCPConnector(limit=0)
            )
        return self._session

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()


def _request(prompt: Prompt, sampling: Sampling, model: str) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
    }
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    stop = (*sampling.stop, *(() if isinstance(prompt, Chat) else prompt.stop))
    if stop:
        body["stop"] = list(dict.fromkeys(stop))
    if isinstance(prompt, Chat):
        body["messages"] = [{"role": m.role, "content": m.content} for m in prompt.messages]
        return "/chat/completions", body
    if isinstance(prompt, Infill):
        return "/completions", body | {"prompt": prompt.prefix, "suffix": prompt.suffix}
    return "/completions", body | {"prompt": prompt.text}


def _aliases(card: Mapping[str, Any]) -> tuple[Any, ...]:
    aliases = card.get("aliases")
    return tuple(aliases) if isinstance(aliases, list) else ()


def _room_tokens(refusal: str) -> int | None:
    """How many tokens the context has room for after the prompt, as a refusal tells; None if it does not."""
    context, asked = _CONTEXT.search(refusal), _ASKED.search(refusal)
    if context is None or asked is None:
        return None
    room = int(context[1]) - int(asked[1])
    return room if room >= _LEAST_ROOM_TOKENS else None
