"""The gateway's promises, kept over a real socket while the engine behind it misbehaves."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched

Serve = Callable[..., Launched]
Rows = Callable[[Launched], list[dict[str, Any]]]

CHAT = "/v1/chat/completions"
PACED = "num_tokens = 400\ntokens_per_second = 100\n"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


def ask(server: Launched, **fields: Any) -> dict[str, Any]:
    """Arguments of a POST that asks for a chat answer."""
    lane = {"x-codeloop-lane": fields.pop("lane")} if "lane" in fields else {}
    return {
        "url": server.base_url + CHAT,
        "headers": {"authorization": f"Bearer {server.key}", **lane},
        "json": {"messages": [{"role": "user", "content": "hello"}], **fields},
    }


async def stream(http: aiohttp.ClientSession, server: Launched, **fields: Any) -> list[Any]:
    """All events of a streamed answer, `[DONE]` as that text."""
    async with http.post(**ask(server, stream=True, **fields)) as answer:
        assert answer.status == 200
        events = (await answer.read()).split(b"\n\n")[:-1]
    data = [event.removeprefix(b"data: ") for event in events if not event.startswith(b":")]
    return ["[DONE]" if item == b"[DONE]" else json.loads(item) for item in data]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Poll until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.02)


async def running(http: aiohttp.ClientSession, server: Launched) -> int:
    """Requests in the engine, as it says itself."""
    async with http.get(f"{server.base_url}/metrics") as answer:
        page = await answer.text()
    line = next(line for line in page.splitlines() if line.startswith("vllm:num_requests_running{"))
    return int(float(line.rpartition(" ")[2]))


@pytest.mark.parametrize("kind", ["malformed", "error", "hang_up", "die"])
async def test_every_stream_that_breaks_ends_with_an_error_event_and_done(
    http: aiohttp.ClientSession, serve: Serve, kind: str
) -> None:
    server = serve(f"[[faults]]\nkind = '{kind}'\nafter_tokens = 5\nwhen = 'hello'\n")
    events = await stream(http, server)
    assert events[-1] == "[DONE]"
    assert set(events[-2]["error"]) == {"message", "type", "param", "code"}
    assert sum("choices" in event for event in events[:-2]) == 5


async def test_a_plain_call_that_breaks_is_502_and_a_refusal_stays_the_clients_fault(
    http: aiohttp.ClientSession, serve: Serve
) -> None:
    server = serve(
        "[[faults]]\nkind = 'hang_up'\nwhen = 'cut'\n[[faults]]\nkind = 'refuse'\nwhen = 'no'\n"
    )
    seen = {}
    for word in ("cut", "no", "yes"):
        async with http.post(**ask(server, user=word)) as answer:
            body = await answer.json()
            seen[word] = (answer.status, body.get("error", {}).get("code"))
    assert seen == {"cut": (502, "engine_error"), "no": (400, "invalid_value"), "yes": (200, None)}


async def test_a_client_that_hangs_up_frees_its_slot_and_is_accounted(
    http: aiohttp.ClientSession, serve: Serve, usage_rows: Rows
) -> None:
    server = serve(PACED)
    for is_stream in (True, False):
        call = asyncio.create_task(_read_until_cancelled(http, server, is_stream=is_stream))
        await until(lambda: _is(running(http, server), 1))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await until(lambda: _is(running(http, server), 0), seconds=2)

    async def written() -> bool:
        return len(usage_rows(server)) == 2

    await until(written)
    rows = usage_rows(server)
    assert [row["outcome"] for row in rows] == ["aborted", "aborted"]
    assert all(row["prompt_tokens"] > 0 and 0 < row["completion_tokens"] < 400 for row in rows)


async def _read_until_cancelled(
    http: aiohttp.ClientSession, server: Launched, *, is_stream: bool
) -> None:
    async with http.post(**ask(server, stream=is_stream)) as answer:
        await answer.read()


async def _is(awaitable: Awaitable[int], expected: int) -> bool:
    return await awaitable == expected


async def test_a_killed_engine_comes_back_by_itself_and_answers_503_until_then(
    http: aiohttp.ClientSession, serve: Serve
) -> None:
    server = serve(PACED + "start_seconds = 0.5\n")
    (engine,) = server.engine_pids()
    streams = [asyncio.create_task(stream(http, server)) for _ in range(20)]
    await until(lambda: _is(running(http, server), 20))
    os.kill(engine, signal.SIGKILL)
    for events in await asyncio.gather(*streams):
        assert events[-1] == "[DONE]"
        assert events[-2]["error"]["code"] == "engine_died"
    async with http.post(**ask(server)) as answer:
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert (await answer.json())["error"]["code"] == "engine_unavailable"
    async with http.get(f"{server.base_url}/health/ready") as answer:
        assert answer.status == 503
    async with http.get(f"{server.base_url}/health/live") as answer:
        assert answer.status == 200
    async with http.get(f"{server.base_url}/health/startup") as answer:
        assert answer.status == 200

    async def ready() -> bool:
        async with http.get(f"{server.base_url}/health/ready") as answer:
            return answer.status == 200

    await until(ready)
    events = await stream(http, server, max_tokens=3)
    assert events[-2]["choices"][0]["finish_reason"] == "length"


async def test_no_engine_outlives_a_killed_gateway(serve: Serve) -> None:
    server = serve()
    engines = server.engine_pids()
    server.process.kill()
    server.process.wait()

    async def gone() -> bool:
        return not any(_is_running(pid) for pid in engines)

    await until(gone)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_sigterm_lets_an_answer_end_and_refuses_new_ones(
    http: aiohttp.ClientSession, serve: Serve
) -> None:
    server = serve("num_tokens = 100\ntokens_per_second = 100\n")
    answer = asyncio.create_task(stream(http, server))
    await until(lambda: _is(running(http, server), 1))
    server.process.terminate()

    async def refuses() -> bool:
        try:
            async with (
                aiohttp.ClientSession() as fresh,
                fresh.get(server.base_url + "/health/live"),
            ):
                return False
        except aiohttp.ClientConnectionError:
            return True

    await until(refuses)
    assert (await answer)[-2]["choices"][0]["finish_reason"] == "stop"
    assert await asyncio.to_thread(server.process.wait, 20) == 0


async def test_a_drain_that_takes_too_long_ends_streams_with_an_error_event(
    http: aiohttp.ClientSession, serve: Serve
) -> None:
    server = serve(PACED, server="drain_seconds = 0.3")
    answer = asyncio.create_task(stream(http, server))
    await until(lambda: _is(running(http, server), 1))
    server.process.terminate()
    events = await answer
    assert (events[-2]["error"]["code"], events[-1]) == ("shutting_down", "[DONE]")
    assert await asyncio.to_thread(server.process.wait, 20) == 0


async def test_a_lanes_deadline_ends_a_stream_with_an_event_and_a_call_with_504(
    http: aiohttp.ClientSession, serve: Serve, usage_rows: Rows
) -> None:
    lane = "[server.lanes.ide]\nshare = 1.0\nqueue = 4\nqueue_seconds = 1\nrequest_seconds = 0.5"
    server = serve(PACED, server=lane)
    events = await stream(http, server, lane="ide")
    assert (events[-2]["error"]["code"], events[-1]) == ("deadline_exceeded", "[DONE]")
    async with http.post(**ask(server, lane="ide")) as answer:
        assert answer.status == 504
    await until(lambda: _is(running(http, server), 0), seconds=2)

    async def written() -> bool:
        return [row["outcome"] for row in usage_rows(server)] == ["timed_out"] * 2

    await until(written)
    assert all(row["completion_tokens"] > 0 for row in usage_rows(server))


async def test_a_silent_stream_carries_comments(http: aiohttp.ClientSession, serve: Serve) -> None:
    server = serve("first_token_seconds = 1.2\nnum_tokens = 2\n", server="keep_alive_seconds = 0.2")
    async with http.post(**ask(server, stream=True)) as answer:
        content = await answer.read()
    assert content.startswith(b": keep-alive\n\n")
    assert content.endswith(b"data: [DONE]\n\n")


async def test_a_full_lane_is_refused_while_a_higher_one_is_served(
    http: aiohttp.ClientSession, serve: Serve
) -> None:
    lane = "[server.lanes.eval]\nshare = 0.5\nqueue = 1\nqueue_seconds = 9\nrequest_seconds = 9"
    server = serve(PACED, server=lane, model="concurrency = 2")
    busy = [asyncio.create_task(stream(http, server, lane="eval")) for _ in range(2)]
    await until(lambda: _is(running(http, server), 1))

    async def refused() -> bool:
        async with http.post(**ask(server, lane="eval", max_tokens=1)) as answer:
            return answer.status == 429 and int(answer.headers["retry-after"]) >= 1

    await until(refused)
    events = await stream(http, server, lane="ide", max_tokens=2)
    assert events[-2]["choices"][0]["finish_reason"] == "length"
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def test_no_prompt_code_or_key_is_logged(http: aiohttp.ClientSession, serve: Serve) -> None:
    server = serve("text = 'secret-answer '\n")
    secret = "secret-prompt-4711"
    await stream(http, server, user=secret)
    async with http.post(**ask(server, messages=[{"role": "user", "content": secret}])) as answer:
        assert answer.status == 200
    async with http.post(**ask(server, messages=secret)) as answer:
        assert answer.status == 400
    logs = "".join(path.read_text() for path in server.home.rglob("*.log"))
    assert "request_id" in logs
    for hidden in (secret, "secret-answer", server.key):
        assert hidden not in logs


async def test_slow_headers_are_cut_off_and_the_server_goes_on(serve: Serve) -> None:
    server = serve(server="header_seconds = 0.3")
    port = int(server.base_url.rpartition(":")[2])

    def trickle() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\nx-slow: ")
            return connection.recv(4096)

    assert (await asyncio.to_thread(trickle)).startswith(b"HTTP/1.1 408 ")


def serve_command(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy", "--home", str(home), "serve", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_port_in_use_is_refused_before_the_engine_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve_command(tmp_path, "--engine", "scripted", "--port", str(port))
    assert done.returncode == 1
    assert f"server.port is {port}" in done.stderr
    assert "--port" in done.stderr


def test_an_engine_that_cannot_start_ends_the_command_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.toml"
    script.write_text('[[faults]]\nkind = "die"\n')
    done = serve_command(tmp_path, "--engine", "scripted", "--port", "0", "--script", str(script))
    assert done.returncode == 1
    assert "died at its first generation" in done.stderr
    assert "engine-scripted.log ends with\n" in done.stderr


def test_a_script_that_is_wrong_is_told_before_the_engine_starts(tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text("num_tokens = 'many'\n")
    done = serve_command(tmp_path, "--engine", "scripted", "--port", "0", "--script", str(script))
    assert done.returncode == 1
    assert str(script) in done.stderr
    assert "num_tokens" in done.stderr
