"""How soon a client that hangs up is gone from the engine, and whether its tokens are counted.

Clients leave in the middle of a stream, before its first token, and while they wait for a plain
answer; with nothing else in the engine, and beside two other streams. After each, the engine's own `vllm:num_requests_running` is read
over its socket until it is back at its former value; the time includes those readings. vLLM writes
that gauge when it has made a step: now and then an engine with nothing left to do leaves it at 1.
Then its counter of generated tokens tells when the request ended, and the case is counted. At the
end the usage rows of all calls are compared with the engine's counters.

    python -m benchmarks.hang_up --quick
    python -m benchmarks.hang_up --model tiny-64k
"""

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import aiohttp
import orjson
import sqlalchemy as sa

from benchmarks.load import CHAT, Endpoint, percentile
from benchmarks.report import Report, parse
from benchmarks.servers import SCRIPTED, behind, gateway_over, through
from deploy.launch import Launched
from server.store import USAGE

MODELS = (SCRIPTED, "tiny-64k", "smollm2-135m")
SCRIPT = "num_tokens = 100000\ntokens_per_second = 50.0\n"
OTHER_STREAMS = 2
EVENTS_BEFORE_LEAVING = 5
POLL_SECONDS = 0.002
GIVE_UP_SECONDS = 5.0
STANDSTILL_SECONDS = 0.5
"""Far longer than a step takes: an engine whose counter stood still so long has nothing to do."""

USAGE_SECONDS = 3.0
"""Usage is written in batches, every half second."""

SERIES = re.compile(r"^(vllm:[a-z_]+)\{[^}]*\} (\S+)$", re.MULTILINE)
RUNNING = "vllm:num_requests_running"
GENERATED = "vllm:generation_tokens_total"
COUNTERS = {
    "completion_tokens": GENERATED,
    "prompt_tokens": "vllm:prompt_tokens_total",
}


class Counted(NamedTuple):
    """Tokens by name of a column of the usage table."""

    usage: Mapping[str, int]
    engine: Mapping[str, int]


class Ended(NamedTuple):
    """When a request was gone, and whether the gauge did not say so."""

    seconds: float
    is_gauge_stale: bool


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=3, models=MODELS)
    report = Report(f"Hang-ups: {arguments.model}", arguments)
    num_each = 5 if arguments.quick else 20
    seconds: dict[str, list[list[float]]] = {kind: [] for kind in ("stream", "early", "plain")}
    with server(arguments.model) as gateway:
        client = Client(through(gateway), behind(gateway), arguments.model)
        before = asyncio.run(client.engine_counters())
        for _ in range(arguments.rounds):
            for num_others in (0, OTHER_STREAMS):
                for kind, times in asyncio.run(client.one_round(num_each, num_others)).items():
                    seconds[kind].append(times)
        time.sleep(USAGE_SECONDS)
        after = asyncio.run(client.engine_counters())
        counted = Counted(
            usage=usage(gateway), engine={name: after[name] - before[name] for name in after}
        )
    show(report, seconds, counted)
    report.figure("gauge left standing by an idle engine", [client.num_stale], "times")
    report.finish()


def show(report: Report, seconds: Mapping[str, list[list[float]]], counted: Counted) -> None:
    """Print the claims."""
    texts = {
        "stream": "in mid-stream",
        "early": "a stream, before its first token",
        "plain": "while waiting for a plain answer",
    }
    for kind, rounds in seconds.items():
        num = sum(map(len, rounds))
        for percent in (50, 95):
            values = [1000 * percentile(times, percent) for times in rounds]
            report.figure(f"{texts[kind]}: p{percent} of {num}", values, "ms")
    most = [1000 * max(max(rounds[i]) for rounds in seconds.values()) for i in range(len(rounds))]
    report.figure("running count back at its former value, longest", [max(most)], "ms", at_most=250)
    for name, engine in counted.engine.items():
        report.figure(f"engine's counter: {name}", [engine], "")
        report.figure(f"usage rows: {name}", [counted.usage[name]], "")
        report.figure(f"difference: {name}", [abs(engine - counted.usage[name])], "", at_most=0)


def server(model: str) -> AbstractContextManager[Launched]:
    """A gateway over the scripted engine or a real one."""
    return gateway_over(model, SCRIPT)


def usage(gateway: Launched) -> Mapping[str, int]:
    """Sums over all usage rows."""
    store = gateway.store()
    try:
        sums = [sa.func.sum(USAGE.c[name]) for name in COUNTERS]
        (row,) = store.rows(sa.select(*sums))
        return {name: int(str(value or 0)) for name, value in zip(COUNTERS, row, strict=True)}
    finally:
        store.close()


class Client:
    """Calls through the gateway, and looks at the engine past it."""

    def __init__(self, gateway: Endpoint, engine: Endpoint, model: str) -> None:
        self._gateway = gateway
        self._engine = engine
        self._model = model
        self.num_stale = 0

    async def one_round(self, num_each: int, num_others: int) -> Mapping[str, list[float]]:
        """Seconds until each hang-up was seen, by kind, beside so many other streams."""
        async with self._gateway.session() as client, self._engine.session() as engine:
            others = [await self._begin(client, is_stream=True) for _ in range(num_others)]
            reading = [asyncio.create_task(_read_on(other)) for other in others]
            await _until_running(engine, num_others)
            times: dict[str, list[float]] = {"stream": [], "early": [], "plain": []}
            for _ in range(num_each):
                for kind, found in times.items():
                    found.append(await self._hang_up(client, engine, kind))
            for task in reading:
                task.cancel()
            for other in others:
                other.close()
            await _until_running(engine, 0)
        return times

    async def engine_counters(self) -> dict[str, int]:
        """The engine's counters, by the usage column that must equal them."""
        async with self._engine.session() as engine:
            page = await _metrics(engine)
        return {column: int(page[series]) for column, series in COUNTERS.items()}

    async def _hang_up(
        self, client: aiohttp.ClientSession, engine: aiohttp.ClientSession, kind: str
    ) -> float:
        former = (await _metrics(engine))[RUNNING]
        if kind == "stream":
            answer = await self._begin(client, is_stream=True)
            num_events = 0
            while num_events < EVENTS_BEFORE_LEAVING:
                num_events += (await answer.content.readany()).count(b"\n\n")
            await _until_running(engine, former + 1)
            began = time.monotonic()
            answer.close()
        else:
            call = asyncio.create_task(self._begin(client, is_stream=kind == "early"))
            await _until_running(engine, former + 1)
            began = time.monotonic()
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            if not call.cancelled():
                call.result().close()
        ended = await _until_running(engine, former, at_most=True)
        self.num_stale += ended.is_gauge_stale
        return ended.seconds - began

    async def _begin(
        self, client: aiohttp.ClientSession, *, is_stream: bool
    ) -> aiohttp.ClientResponse:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "user", "content": f"Question {time.monotonic_ns()}: go on."}],
            "max_tokens": 7000,
            "ignore_eos": True,
            "stream": is_stream,
        }
        return await client.post(CHAT, data=orjson.dumps(body))


async def _read_on(answer: aiohttp.ClientResponse) -> None:
    async for _ in answer.content.iter_any():
        pass


async def _metrics(engine: aiohttp.ClientSession) -> dict[str, float]:
    async with engine.get("/metrics") as answer:
        page = await answer.text()
    return {name: float(value) for name, value in SERIES.findall(page)}


async def _until_running(
    engine: aiohttp.ClientSession, num: float, *, at_most: bool = False
) -> Ended:
    """When that many requests run, or fewer; gives up after GIVE_UP_SECONDS."""
    generated, moved_at = -1.0, time.monotonic()
    deadline = moved_at + GIVE_UP_SECONDS
    while time.monotonic() < deadline:
        page = await _metrics(engine)
        if page[RUNNING] == num or (at_most and page[RUNNING] < num):
            return Ended(seconds=time.monotonic(), is_gauge_stale=False)
        if page[GENERATED] != generated:
            generated, moved_at = page[GENERATED], time.monotonic()
        elif num == 0 and time.monotonic() - moved_at > STANDSTILL_SECONDS:
            return Ended(seconds=moved_at, is_gauge_stale=True)
        await asyncio.sleep(POLL_SECONDS)
    return Ended(seconds=time.monotonic(), is_gauge_stale=False)


if __name__ == "__main__":
    main()
