"""Users that the loop plays: each asks in the chat lane, reads the whole stream, pauses, asks again.

A request has failed unless its stream came to a finish reason and to its end.
"""

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import orjson

from deploy.loop.gateway import GatewayChild
from deploy.loop.settings import TrafficTable

QUESTIONS = (
    "Write a Python function that adds two numbers.",
    "What does the keyword `yield` do?",
    "Reverse a string in Python.",
    "How do I read a file line by line?",
    "Explain a list comprehension in one sentence.",
)
REQUEST_SECONDS = 300.0
_EVENT, _END = b"data: ", b"[DONE]"


@dataclass(kw_only=True)
class Counts:
    """What the users met. first_token_seconds, seconds: of the answers that came whole."""

    num_requests: int = 0
    num_failed: int = 0
    last_failure: str = ""
    versions: Counter[str] = field(default_factory=Counter)
    first_token_seconds: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Traffic:
    """All users."""

    def __init__(self, table: TrafficTable, *, model: str, key: str, gateway: GatewayChild) -> None:
        self.counts = Counts()
        self._table, self._model, self._gateway = table, model, gateway
        self._headers = {"authorization": f"Bearer {key}", "x-codeloop-lane": "chat"}
        self._is_over = asyncio.Event()

    async def run(self) -> None:
        """Until `stop`; questions under way get their answer."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with (
            aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(self._table.users):
                tasks.create_task(self._user(session, number))

    def stop(self) -> None:
        """No user asks anything more."""
        self._is_over.set()

    async def _user(self, session: aiohttp.ClientSession, number: int) -> None:
        questions = itertools.islice(itertools.cycle(QUESTIONS), number % len(QUESTIONS), None)
        for question in questions:
            url = await self._gateway.ready()
            if self._is_over.is_set():
                return
            await self._ask(session, url, question)
            try:
                async with asyncio.timeout(self._table.pause_seconds):
                    await self._is_over.wait()
            except TimeoutError:
                continue

    async def _ask(self, session: aiohttp.ClientSession, url: str, question: str) -> None:
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": self._table.max_tokens,
            "stream": True,
        }
        counts, began = self.counts, time.monotonic()
        counts.num_requests += 1
        try:
            async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
                if answer.status != 200:
                    raise ValueError(f"status {answer.status}: {(await answer.read())[:200]!r}")
                first_seconds, version = await _read(answer, began)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            counts.num_failed += 1
            counts.last_failure = f"{type(error).__name__}: {error}"
            return
        counts.versions[version] += 1
        counts.first_token_seconds.append(first_seconds)
        counts.seconds.append(time.monotonic() - began)


async def _read(answer: aiohttp.ClientResponse, began: float) -> tuple[float, str]:
    """Time to the first event and the version, of a stream that ends well. Raises ValueError."""
    first_seconds, finish, version, has_ended = 0.0, None, "", False
    async for line in answer.content:
        data = line.strip().removeprefix(_EVENT) if line.startswith(_EVENT) else b""
        if data == _END:
            has_ended = True
        elif data:
            first_seconds = first_seconds or time.monotonic() - began
            event = orjson.loads(data)
            if "error" in event:
                raise ValueError(f"error event: {event['error']}")
            version = event.get("system_fingerprint") or version
            for choice in event.get("choices", ()):
                finish = choice.get("finish_reason") or finish
    if not (finish and has_ended):
        raise ValueError(f"the stream ended with finish_reason {finish!r}, end mark {has_ended}")
    return first_seconds, version.rpartition("@")[2]
