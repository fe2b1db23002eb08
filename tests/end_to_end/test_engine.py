"""The real engine behind the gateway: accounted to the token, freed at a hang-up, back when killed."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from deploy.launch import Launched
from server.store import USAGE

BACK_SECONDS = 240.0
NUM_BACKGROUND = 1500
COUNTERS = ("vllm:generation_tokens_total", "vllm:prompt_tokens_total")


async def counters(http: aiohttp.ClientSession, server: Launched) -> tuple[int, int]:
    """Generated and prompt tokens, as the engine counts them."""
    async with http.get(f"{server.base_url}/metrics") as answer:
        page = (await answer.text()).splitlines()
    values = {
        name: int(float(line.rpartition(" ")[2]))
        for line in page
        for name in COUNTERS
        if line.startswith(name + "{")
    }
    return values[COUNTERS[0]], values[COUNTERS[1]]


async def running(http: aiohttp.ClientSession, server: Launched) -> int:
    """Requests in the engine."""
    async with http.get(f"{server.base_url}/metrics") as answer:
        page = (await answer.text()).splitlines()
    line = next(line for line in page if line.startswith("vllm:num_requests_running{"))
    return int(float(line.rpartition(" ")[2]))


def rows(server: Launched) -> list[Any]:
    """Usage rows written so far."""
    store = server.store()
    try:
        return list(store.rows(sa.select(USAGE)))
    finally:
        store.close()


async def until(holds: Callable[[], Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.05)


def ask(server: Launched, **body: Any) -> dict[str, Any]:
    return {
        "url": f"{server.url}/completions",
        "headers": {"authorization": f"Bearer {server.key}"},
        "json": {"prompt": "hello", **body},
    }


async def hang_up(http: aiohttp.ClientSession, server: Launched, **body: Any) -> None:
    """Leave a long answer after its first bytes."""
    asked = ask(server, stream=True, max_tokens=7000, ignore_eos=True, **body)
    async with http.post(**asked) as answer:
        await answer.content.readany()
        answer.close()


async def test_usage_recorded_equals_the_engines_counters(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    """Whole, streamed and aborted requests, to the token."""
    await until(lambda: _idle(http, server), 30)
    num_before, before = len(rows(server)), await counters(http, server)
    async with http.post(**ask(server, max_tokens=9)) as answer:
        await answer.read()
    async with http.post(**ask(server, stream=True, max_tokens=11)) as answer:
        assert b"usage" not in await answer.read()
    for _ in range(5):
        await hang_up(http, server)
        await hang_up(http, server, prompt=["a", "b c"])
    new, after = await _settled(http, server, num_before + 12)
    assert sum(row.completion_tokens for row in new[num_before:]) == after[0] - before[0]
    assert sum(row.prompt_tokens for row in new[num_before:]) == after[1] - before[1]
    assert {row.outcome for row in new[num_before:]} == {"completed", "aborted"}


async def test_many_answers_share_the_prompt_and_each_of_their_tokens_is_counted(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    """As OpenAI counts: the prompt once. (The engine's counter has it once an answer.)"""
    await until(lambda: _idle(http, server), 30)
    num_before, before = len(rows(server)), await counters(http, server)
    async with http.post(**ask(server, n=3, max_tokens=5)) as answer:
        usage = (await answer.json())["usage"]
    for _ in range(3):
        await hang_up(http, server, n=3)
        await hang_up(http, server, prompt=["a", "b c"], n=2)
    new, after = await _settled(http, server, num_before + 7)
    assert sum(row.completion_tokens for row in new[num_before:]) == after[0] - before[0]
    hello, *others = [row.prompt_tokens for row in new[num_before:]]
    assert hello == usage["prompt_tokens"]
    assert hello == 1
    assert set(others) <= {1, 2, 3}  # of two prompts, the second may not have been read yet


async def _settled(
    http: aiohttp.ClientSession, server: Launched, num_rows: int
) -> tuple[list[Any], tuple[int, int]]:
    """Rows and counters, once the engine is idle and so many rows are written."""

    async def written() -> bool:
        return len(rows(server)) >= num_rows

    await until(written, 30)
    await until(lambda: _idle(http, server), 30)
    return rows(server), await counters(http, server)


async def _idle(http: aiohttp.ClientSession, server: Launched) -> bool:
    return await running(http, server) == 0


async def test_an_answer_in_the_background_stands_still_while_a_user_is_there(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    """On a processor every answer in a step slows the others down."""
    background = 0

    async def tokens(lane: str, max_tokens: int) -> AsyncIterator[int]:
        """How many have come, whenever some come."""
        asked = ask(
            server,
            stream=True,
            max_tokens=max_tokens,
            ignore_eos=True,
            stream_options={"continuous_usage_stats": True, "include_usage": True},
        )
        asked["headers"]["x-codeloop-lane"] = lane
        async with http.post(**asked) as answer:
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    yield json.loads(line.removeprefix(b"data: "))["usage"]["completion_tokens"]

    async def evaluate() -> None:
        nonlocal background
        async for count in tokens("eval", NUM_BACKGROUND):
            background = count

    async def begun() -> bool:
        return background > 0

    evaluation = asyncio.create_task(evaluate())
    await until(begun, 30)
    seen = [(count, background) async for count in tokens("ide", 420)]
    (first, before), (last, after) = seen[0], seen[-1]
    assert last == 420
    assert 0 < after - before < (last - first) / 4  # one step in 21
    await evaluation
    assert background == NUM_BACKGROUND


async def test_a_killed_engine_ends_its_streams_and_comes_back(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    async def whole_stream() -> bytes:
        body = {"stream": True, "max_tokens": 8000, "ignore_eos": True}
        async with http.post(**ask(server, **body)) as answer:
            return await answer.read()

    async def busy() -> bool:
        return await running(http, server) >= 8

    streams = [asyncio.create_task(whole_stream()) for _ in range(20)]
    await until(busy, 30)
    (engine,) = server.engine_pids()
    group = os.getpgid(engine)
    os.kill(engine, signal.SIGKILL)
    for content in await asyncio.gather(*streams):
        *_, last, done, end = content.split(b"\n\n")
        assert b'"code":"engine_died"' in last
        assert (done, end) == (b"data: [DONE]", b"")
    async with http.post(**ask(server)) as answer:
        assert (answer.status, "retry-after" in answer.headers) == (503, True)

    async def ready() -> bool:
        async with http.get(f"{server.base_url}/health/ready") as answer:
            return answer.status == 200

    await until(ready, BACK_SECONDS)
    async with http.post(**ask(server, max_tokens=3)) as answer:
        assert answer.status == 200
    assert not _members(group), "a worker of the dead engine was left behind"


def _members(group: int) -> list[int]:
    """Processes of a group that are not dead yet."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(pgrp) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found
