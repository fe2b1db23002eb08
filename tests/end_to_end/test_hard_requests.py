"""Requests that ended, stalled or confused the engine, and a fuzz that looks for more."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched

FUZZ = Path(__file__).parent / "fuzz_engine.py"
FUZZ_MINUTES = {"server": 0.4, "reasoning_server": 0.15}
UNMET_SCHEMA: dict[str, Any] = {"type": "integer", "minimum": 5, "maximum": 3}
ENDLESS_SCHEMA = {"$ref": "#"}


async def post(
    http: aiohttp.ClientSession, server: Launched, path: str, **body: Any
) -> tuple[int, Any]:
    """Status and error of a request; of a stream, the error that its last event but one tells."""
    headers = {"authorization": f"Bearer {server.key}"}
    async with http.post(server.url + path, json=body, headers=headers) as answer:
        content = await answer.read()
    if not body.get("stream") or answer.status >= 400:
        return answer.status, json.loads(content).get("error")
    *_, last, done, _ = content.split(b"\n\n")
    assert done == b"data: [DONE]"
    event = json.loads(last.rpartition(b"data: ")[2])
    return answer.status, event.get("error", event)


async def test_log_probabilities_need_no_compiler(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    """The server of this folder runs where there is none; vLLM would compile for them."""
    asked = {"prompt": "x", "max_tokens": 2, "logprobs": 5}
    assert await post(http, server, "/completions", **asked) == (200, None)


@pytest.mark.parametrize("constraint", ["grammar", "json"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_grammar_that_leads_nowhere_is_the_clients_fault(
    http: aiohttp.ClientSession, server: Launched, constraint: str, stream: bool
) -> None:
    wanted = {"grammar": "root ::= root", "json": ENDLESS_SCHEMA}[constraint]
    status, error = await post(
        http, server, "/completions", prompt="x", structured_outputs={constraint: wanted},
        stream=stream,
    )  # fmt: skip
    assert status == (200 if stream else 422)
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_value")
    assert "schema, grammar or expression" in error["message"]


async def test_a_schema_that_cannot_be_met_ends_a_responses_stream_with_the_reason(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    text = {"format": {"type": "json_schema", "name": "x", "schema": UNMET_SCHEMA}}
    _, error = await post(http, server, "/responses", input="x", text=text, stream=True)
    assert (error["type"], error["code"]) == ("error", "invalid_value")
    assert "Unsatisfiable schema" in error["message"]


async def test_what_the_engine_refuses_after_a_stream_began_is_the_clients_fault(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    _, error = await post(http, server, "/completions", prompt=[10**6], stream=True)
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_value")
    assert "out of vocabulary" in error["message"]


@pytest.mark.parametrize(
    ("param", "asked"),
    [
        ("echo", {"echo": True, "logprobs": 0, "n": 2, "stream": True}),
        ("logprobs", {"echo": True, "logprobs": 20, "n": 128, "prompt": "word " * 4000}),
        ("prompt_logprobs", {"prompt_logprobs": 20, "prompt": [[7] * 4000] * 4}),
    ],
)
async def test_log_probabilities_of_a_prompt_are_refused_by_name_where_they_would_be_too_many(
    http: aiohttp.ClientSession, server: Launched, param: str, asked: dict[str, Any]
) -> None:
    status, error = await post(http, server, "/completions", **({"prompt": "x"} | asked))
    assert (status, error["param"]) == (400, param)


@pytest.mark.proof
@pytest.mark.parametrize("model", FUZZ_MINUTES)
def test_no_legal_request_ends_the_engine(model: str, request: pytest.FixtureRequest) -> None:
    server: Launched = request.getfixturevalue(model)
    done = subprocess.run(
        [sys.executable, str(FUZZ), "--minutes", str(FUZZ_MINUTES[model]), "--url", server.base_url,
         "--key", server.key],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
