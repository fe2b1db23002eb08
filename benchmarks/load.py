"""Load on an OpenAI-compatible endpoint, from processes of its own, and what became of each call.

A generator that shared the process of what it measures would measure itself. Events are counted
as bytes: parsing them would cost more than relaying them does.
"""

import asyncio
import itertools
import multiprocessing
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiohttp
import orjson

END_OF_EVENT = b"\n\n"
DONE = b"data: [DONE]\n\n"
COMPLETION_TOKENS = re.compile(rb'"completion_tokens": ?(\d+)')
TAIL_BYTES = 2048
"""Enough of a stream's end to hold its usage."""

CALL_SECONDS = 900.0
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
NUMBER = "{number}"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where calls go: a base URL without /v1, or a unix socket behind it, and what they carry."""

    base_url: str = "http://engine"
    socket: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def session(self) -> aiohttp.ClientSession:
        """A client of its own pool of connections, unlimited."""
        connector = (
            aiohttp.UnixConnector(self.socket, limit=0)
            if self.socket
            else aiohttp.TCPConnector(limit=0)
        )
        return aiohttp.ClientSession(
            self.base_url,
            connector=connector,
            headers={"content-type": "application/json", **self.headers},
            timeout=aiohttp.ClientTimeout(total=CALL_SECONDS),
            read_bufsize=2**18,
        )


@dataclass(frozen=True, kw_only=True)
class Load:
    """Many calls of one kind.

    concurrency: callers of a closed loop, each with one call at a time. They stop after `calls`
    in all, or start none after `seconds`. arrivals_per_second: an open loop instead, which does
    not wait for answers; for `seconds`, at random times from a fixed seed. warm_up: calls that
    are made first and not counted. NUMBER in the body becomes another number in every call, so
    that no prompt is in a prefix cache. hang_up_after_events: the client leaves then.
    read_bytes_per_second: the pace of a client that reads slowly.
    """

    endpoint: Endpoint
    body: Mapping[str, Any]
    route: str = CHAT
    concurrency: int = 1
    calls: int | None = None
    seconds: float | None = None
    arrivals_per_second: float | None = None
    warm_up: int = 0
    hang_up_after_events: int | None = None
    read_bytes_per_second: float | None = None


class Call(NamedTuple):
    """One call. Times in seconds of the machine's monotonic clock; status 0: no answer came.

    num_tokens: what `usage` says, else 0. fault: empty for a whole answer.
    """

    began: float
    first: float
    ended: float
    status: int
    num_events: int
    num_tokens: int
    has_retry_after: bool
    fault: str

    @property
    def first_seconds(self) -> float:
        """From the request to the first byte of the answer's body."""
        return self.first - self.began

    @property
    def total_seconds(self) -> float:
        """From the request to the end of the answer."""
        return self.ended - self.began


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a load."""

    calls: Sequence[Call]

    @property
    def whole(self) -> list[Call]:
        """The calls with a complete answer."""
        return [call for call in self.calls if call.status == 200 and not call.fault]

    @property
    def num_failed(self) -> int:
        """Calls without a complete answer."""
        return len(self.calls) - len(self.whole)

    @property
    def elapsed_seconds(self) -> float:
        """From the first request to the end of the last answer."""
        return max(call.ended for call in self.calls) - min(call.began for call in self.calls)

    @property
    def calls_per_second(self) -> float:
        """Complete answers."""
        return len(self.whole) / self.elapsed_seconds

    @property
    def tokens_per_second(self) -> float:
        """Output tokens of complete answers."""
        return sum(call.num_tokens for call in self.whole) / self.elapsed_seconds

    def first_ms(self, percent: float) -> float:
        """Percentile of the time to the first byte of complete answers."""
        return 1000 * percentile([call.first_seconds for call in self.whole], percent)

    def total_ms(self, percent: float) -> float:
        """Percentile of the time of complete answers."""
        return 1000 * percentile([call.total_seconds for call in self.whole], percent)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all do not exceed; NaN of none."""
    if not values:
        return float("nan")
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -int(-len(ranked) * percent // 100) - 1))]


def chat_body(num_tokens: int, *, stream: bool, model: str | None = None) -> dict[str, Any]:
    """A small chat request for exactly so many tokens."""
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": "Write a Python function that adds two numbers."}],
        "max_tokens": num_tokens,
        "stream": stream,
    }
    if model:  # the real engine; the scripted one stops where its script says
        body |= {"model": model, "ignore_eos": True, "temperature": 0}
    if stream and model:
        body["stream_options"] = {"include_usage": True}
    return body


class Generators:
    """Processes that generate load, kept warm between rounds."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def start(self, load: Load) -> "Future[Outcome]":
        """Begin a load in a process that is free."""
        return self._pool.submit(_generate, load)

    def run(self, load: Load) -> Outcome:
        """Carry a load out."""
        return self.start(load).result()


@contextmanager
def load_generators(num_processes: int = 1) -> Iterator[Generators]:
    """Processes for that many loads at a time."""
    # Spawned: a forked child would share the descriptors of the servers under test.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_processes, mp_context=context) as pool:
        for ready in [pool.submit(time.monotonic) for _ in range(num_processes)]:
            ready.result()
        yield Generators(pool)


def _generate(load: Load) -> Outcome:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(_carry_out(load))
    return uvloop.run(_carry_out(load))


async def _carry_out(load: Load) -> Outcome:
    async with _caller(load) as call:
        for _ in range(load.warm_up):
            await call()
        if load.arrivals_per_second:
            assert load.seconds is not None
            return await _open_loop(call, load.arrivals_per_second, load.seconds)
        return await _closed_loop(call, load)


@asynccontextmanager
async def _caller(load: Load) -> AsyncIterator[Callable[[], Any]]:
    content = orjson.dumps(load.body)
    async with load.endpoint.session() as session:
        yield lambda: make_call(session, load, content)


async def _closed_loop(call: Callable[[], Any], load: Load) -> Outcome:
    deadline = time.monotonic() + load.seconds if load.seconds else float("inf")
    numbers = itertools.count()
    done: list[Call] = []

    async def keep_calling() -> None:
        while time.monotonic() < deadline and (load.calls is None or next(numbers) < load.calls):
            done.append(await call())

    assert load.calls or load.seconds, "a closed loop needs an end"
    async with asyncio.TaskGroup() as group:
        for _ in range(load.concurrency):
            group.create_task(keep_calling())
    return Outcome(calls=done)


async def _open_loop(call: Callable[[], Any], per_second: float, seconds: float) -> Outcome:
    chance = random.Random(20)
    began = time.monotonic()
    tasks: list[asyncio.Task[Call]] = []
    due = 0.0
    async with asyncio.TaskGroup() as group:
        while due < seconds:
            await asyncio.sleep(began + due - time.monotonic())
            tasks.append(group.create_task(call()))
            due += chance.expovariate(per_second)
    return Outcome(calls=[task.result() for task in tasks])


async def make_call(session: aiohttp.ClientSession, load: Load, content: bytes) -> Call:
    """One POST, its answer read to the end. Never raises for what the server does."""
    if NUMBER.encode() in content:
        content = content.replace(NUMBER.encode(), b"%d" % time.monotonic_ns())
    reading = _Reading()
    began = time.monotonic()
    status, has_retry_after, fault = 0, False, ""
    try:
        async with session.post(load.route, data=content) as answer:
            status = answer.status
            has_retry_after = "retry-after" in answer.headers
            fault = await reading.read(answer, load)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        fault = type(error).__name__
    tokens = COMPLETION_TOKENS.findall(reading.tail)
    ended = time.monotonic()
    return Call(
        began=began,
        first=reading.first or ended,
        ended=ended,
        status=status,
        num_events=reading.num_events,
        num_tokens=int(tokens[-1]) if tokens else 0,
        has_retry_after=has_retry_after,
        fault=fault,
    )


class _Reading:
    """One answer as it comes in."""

    def __init__(self) -> None:
        self.first = 0.0
        self.num_events = 0
        self.tail = b""

    async def read(self, answer: aiohttp.ClientResponse, load: Load) -> str:
        """Read to the end, or as far as the load says; returns the fault."""
        async for chunk in answer.content.iter_any():
            if not self.first:
                self.first = time.monotonic()
            # An end of event that is cut in two is found in the last byte of the kept tail.
            self.num_events += (self.tail[-1:] + chunk).count(END_OF_EVENT)
            self.tail = (self.tail + chunk)[-TAIL_BYTES:]
            if load.hang_up_after_events and self.num_events >= load.hang_up_after_events:
                answer.close()
                return "hung up"
            if load.read_bytes_per_second:
                await asyncio.sleep(len(chunk) / load.read_bytes_per_second)
        if answer.status == 200 and answer.content_type == "text/event-stream":
            return _stream_fault(self.tail)
        return ""


def _stream_fault(tail: bytes) -> str:
    if not tail.endswith(DONE):
        return "no [DONE]"
    return "error event" if b'data: {"error"' in tail else ""
