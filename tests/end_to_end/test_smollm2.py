"""The embedded default model over the real engine; at the end it is drained, as at a deployment."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched, launch
from server.model_store import ModelStore

SETTINGS = """
[[server.models]]
name = "smollm2-135m"
context_tokens = 2048
kv_cache_bytes = 268435456
"""
DRAIN_SECONDS = 60


@pytest.fixture(scope="module")
def smollm2(test_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    models = test_home / "models"
    ModelStore(models).resolve("smollm2-135m", pull=True)
    home = tmp_path_factory.mktemp("smollm2") / "home"
    home.mkdir()
    (home / "models").symlink_to(models)
    with launch(home, settings=SETTINGS) as server:
        yield server


def ask(server: Launched, path: str, **body: Any) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {server.key}"}
    return {"url": server.url + path, "headers": headers, "json": body}


async def test_it_answers_a_question_with_sense(
    http: aiohttp.ClientSession, smollm2: Launched
) -> None:
    question = [{"role": "user", "content": "What is the capital of France?"}]
    asked = {"messages": question, "max_tokens": 32, "temperature": 0}
    async with http.post(**ask(smollm2, "/chat/completions", **asked)) as answer:
        assert "Paris" in (await answer.json())["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("path", "param", "asked"),
    [
        ("/completions", "suffix", {"prompt": "def f(", "suffix": "return x"}),
        (
            "/chat/completions",
            "tools",
            {
                "messages": [{"role": "user", "content": "x"}],
                "tools": [{"type": "function", "function": {"name": "f"}}],
            },
        ),
    ],
)
async def test_what_its_family_was_not_trained_for_is_refused_by_name(
    http: aiohttp.ClientSession, smollm2: Launched, path: str, param: str, asked: dict[str, Any]
) -> None:
    async with http.post(**ask(smollm2, path, **asked)) as answer:
        error = (await answer.json())["error"]
    assert (answer.status, error["code"]) == (400, "unsupported_parameter")
    assert error["param"] == param


async def test_a_drained_server_finishes_its_streams_and_leaves_with_zero(
    http: aiohttp.ClientSession, smollm2: Launched
) -> None:
    # Longer than the door takes to close, and on a busy machine too shorter than the server drains.
    asked = {"prompt": "x", "max_tokens": 60, "ignore_eos": True, "stream": True}
    async with http.post(**ask(smollm2, "/completions", **asked)) as answer:
        begin = await answer.content.readany()
        smollm2.process.terminate()
        await _until_refused(smollm2)
        rest = await answer.content.read()
    assert (begin + rest).count(b'"finish_reason":"length"') == 1
    assert rest.endswith(b"data: [DONE]\n\n")
    assert await asyncio.to_thread(smollm2.process.wait, DRAIN_SECONDS) == 0


async def _until_refused(server: Launched) -> None:
    async with asyncio.timeout(DRAIN_SECONDS), aiohttp.ClientSession() as fresh:
        while True:
            try:
                async with fresh.get(
                    f"{server.base_url}/health/live", headers={"connection": "close"}
                ):
                    await asyncio.sleep(0.02)
            except aiohttp.ClientConnectionError:
                return
