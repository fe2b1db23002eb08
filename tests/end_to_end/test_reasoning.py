"""Reasoning over the real engine; and, since this server is no longer needed then, its violent end."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched

ASKED = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 8, "temperature": 0}
GONE_SECONDS = 30.0


def ask(server: Launched, **body: Any) -> dict[str, Any]:
    return {
        "url": f"{server.url}/chat/completions",
        "headers": {"authorization": f"Bearer {server.key}"},
        "json": ASKED | body,
    }


async def test_reasoning_has_both_names(
    http: aiohttp.ClientSession, reasoning_server: Launched
) -> None:
    async with http.post(**ask(reasoning_server)) as answer:
        message = (await answer.json())["choices"][0]["message"]
    # Never closed by a tag: all of it is reasoning.
    assert message["content"] is None
    assert message["reasoning"] == message["reasoning_content"]
    async with http.post(**ask(reasoning_server, stream=True)) as answer:
        lines = [line for line in (await answer.read()).split(b"\n") if line.startswith(b"data: {")]
    deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in lines]
    assert "".join(delta.get("reasoning") or "" for delta in deltas) == message["reasoning"]
    assert all(delta.get("reasoning") == delta.get("reasoning_content") for delta in deltas)


async def test_instructions_move_into_the_users_turn(
    http: aiohttp.ClientSession, reasoning_server: Launched
) -> None:
    spoken = {"system": "Be brief.", "user": "hello"}
    apart = [{"role": role, "content": content} for role, content in spoken.items()]
    folded = [{"role": "user", "content": "Be brief.\n\nhello"}]
    answers = []
    for messages in (apart, folded):
        async with http.post(**ask(reasoning_server, messages=messages)) as answer:
            answers.append(await answer.json())
    assert answers[0]["usage"]["prompt_tokens"] == answers[1]["usage"]["prompt_tokens"]
    assert answers[0]["choices"][0]["message"] == answers[1]["choices"][0]["message"]


@pytest.mark.filterwarnings("ignore")  # litellm's and pydantic's own, in their code
def test_litellm_reads_the_reasoning(litellm: Any, reasoning_server: Launched) -> None:
    asked = {"api_base": reasoning_server.url, "api_key": reasoning_server.key, "num_retries": 0}
    answer = litellm.completion(model="hosted_vllm/deepcoder-tiny", **ASKED, **asked)
    whole = answer.choices[0].message.reasoning_content
    assert whole
    stream = litellm.completion(model="hosted_vllm/deepcoder-tiny", stream=True, **ASKED, **asked)
    deltas = [chunk.choices[0].delta for chunk in stream]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == whole


async def test_no_process_of_the_engine_outlives_a_killed_gateway(
    reasoning_server: Launched,
) -> None:
    groups = [os.getpgid(pid) for pid in reasoning_server.engine_pids()]
    assert all(len(members(group)) >= 3 for group in groups)  # host, engine core, worker
    reasoning_server.process.kill()
    reasoning_server.process.wait()
    deadline = time.monotonic() + GONE_SECONDS
    while any(members(group) for group in groups):
        assert time.monotonic() < deadline, "processes of the engine are left"
        await asyncio.sleep(0.05)


def members(group: int) -> list[int]:
    """Processes of a group that are not dead yet."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(process_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found
