"""Every route over the real engine: what is asked for is what comes back."""

import json
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched

Body = dict[str, Any]
HELLO = [{"role": "user", "content": "Say hello"}]
LONG_PROMPT = [5 + number % 1000 for number in range(3000)]
"""Longer than one step of the engine, so that it is prefilled in chunks."""


async def post(
    http: aiohttp.ClientSession, server: Launched, path: str, **body: Any
) -> tuple[int, Body]:
    headers = {"authorization": f"Bearer {server.key}"}
    async with http.post(server.base_url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def good(http: aiohttp.ClientSession, server: Launched, path: str, **body: Any) -> Body:
    status, answer = await post(http, server, path, **body)
    assert status == 200, answer
    return answer


async def events(
    http: aiohttp.ClientSession, server: Launched, path: str, **body: Any
) -> list[Body]:
    headers = {"authorization": f"Bearer {server.key}"}
    async with http.post(
        server.base_url + path, json=body | {"stream": True}, headers=headers
    ) as answer:
        content = await answer.read()
    assert content.endswith(b"data: [DONE]\n\n")
    lines = [line for line in content.split(b"\n") if line.startswith(b"data: {")]
    return [json.loads(line.removeprefix(b"data: ")) for line in lines]


async def test_chat_plain_and_streamed_say_the_same(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    asked = {"messages": HELLO, "max_tokens": 12, "temperature": 0}
    plain = await good(http, server, "/v1/chat/completions", **asked)
    chunks = await events(http, server, "/v1/chat/completions", **asked)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == plain["choices"][0]["message"]["content"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert plain["usage"]["completion_tokens"] == 12


@pytest.mark.parametrize("prompt", ["def f(", LONG_PROMPT], ids=["short", "in chunks"])
async def test_a_seed_repeats_an_answer(
    http: aiohttp.ClientSession, server: Launched, prompt: object
) -> None:
    asked = {"prompt": prompt, "max_tokens": 16, "temperature": 1.0}
    first, again, other = [
        (await good(http, server, "/v1/completions", **asked, seed=seed))["choices"][0]["text"]
        for seed in (1, 1, 2)
    ]
    assert first == again
    assert first != other


async def test_n_answers_with_stop_strings_and_bias(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    bias = await good(http, server, "/tokenize", prompt="yes", add_special_tokens=False)
    (token,) = bias["tokens"]
    answer = await good(
        http,
        server,
        "/v1/completions",
        prompt="x",
        n=3,
        max_tokens=8,
        logit_bias={str(token): 100},
        stop=["yesyes", *(f"stop{number}" for number in range(40))],
    )
    assert [choice["text"] for choice in answer["choices"]] == [""] * 3
    assert {choice["finish_reason"] for choice in answer["choices"]} == {"stop"}
    assert answer["usage"]["completion_tokens"] == 6


async def test_log_probabilities_of_answer_and_prompt(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    chat = await good(
        http, server, "/v1/chat/completions", messages=HELLO, max_tokens=4, logprobs=True,
        top_logprobs=2,
    )  # fmt: skip
    content = chat["choices"][0]["logprobs"]["content"]
    assert [len(token["top_logprobs"]) for token in content] == [2] * 4
    echoed = await good(
        http, server, "/v1/completions", prompt="a b c", max_tokens=2, echo=True, logprobs=1,
        prompt_logprobs=1,
    )  # fmt: skip
    choice = echoed["choices"][0]
    assert choice["text"].startswith("a b c")
    assert len(choice["logprobs"]["token_logprobs"]) == echoed["usage"]["total_tokens"]
    assert len(choice["prompt_logprobs"]) == echoed["usage"]["prompt_tokens"]


async def finished(http: aiohttp.ClientSession, server: Launched, **body: Any) -> Body:
    """A chat answer that came to its own end.

    JSON allows any white space between its parts, and random weights like it: of ten seeds, the
    first that gets through.
    """
    for seed in range(10):
        answer = await good(
            http, server, "/v1/chat/completions", messages=HELLO, max_tokens=300, seed=seed, **body
        )
        if answer["choices"][0]["finish_reason"] != "length":
            return answer
    raise AssertionError("no answer came to its end")


async def test_an_answer_is_held_to_a_schema_and_a_tool_to_its_parameters(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["a", "b"]}},
        "required": ["kind"],
        "additionalProperties": False,
    }
    named = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = await finished(http, server, response_format=named)
    assert json.loads(answer["choices"][0]["message"]["content"])["kind"] in ("a", "b")
    tool = {"type": "function", "function": {"name": "choose", "parameters": schema}}
    choice = {"type": "function", "function": {"name": "choose"}}
    called = await finished(http, server, tools=[tool], tool_choice=choice)
    (call,) = called["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "choose"
    assert json.loads(call["function"]["arguments"])["kind"] in ("a", "b")
    status, refused = await post(http, server, "/v1/chat/completions", messages=HELLO, tools=[tool])
    assert (status, refused["error"]["param"]) == (400, "tools")


async def test_a_hole_is_rendered_in_the_models_markup(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    rendered = "<|fim_prefix|>def f():\n<|fim_suffix|>\n    return x<|fim_middle|>"
    expected = await good(
        http, server, "/v1/completions", prompt=rendered, max_tokens=8, temperature=0
    )
    answer = await good(
        http, server, "/v1/completions", prompt="def f():\n", suffix="\n    return x", max_tokens=8,
        temperature=0,
    )  # fmt: skip
    assert answer["choices"][0]["text"] == expected["choices"][0]["text"]
    assert answer["usage"]["prompt_tokens"] == expected["usage"]["prompt_tokens"]


async def test_responses_plain_and_streamed(http: aiohttp.ClientSession, server: Launched) -> None:
    asked = {"input": "hello", "max_output_tokens": 6, "temperature": 0}
    plain = await good(http, server, "/v1/responses", **asked)
    assert plain["usage"]["output_tokens"] == 6
    last = (await events(http, server, "/v1/responses", **asked))[-1]
    assert last["response"]["usage"]["output_tokens"] == 6


async def test_tokens_go_there_and_back(http: aiohttp.ClientSession, server: Launched) -> None:
    text = "def f(x):\n\treturn 'ünïcödé'\n"
    tokens = (await good(http, server, "/tokenize", prompt=text))["tokens"]
    assert (await good(http, server, "/detokenize", tokens=tokens))["prompt"] == text


async def test_a_model_says_its_context_and_goes_by_its_alias(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    headers = {"authorization": f"Bearer {server.key}"}
    async with http.get(f"{server.url}/models/gpt-4o-mini", headers=headers) as answer:
        card = await answer.json()
    assert (card["id"], card["max_model_len"]) == ("tiny-64k", 8192)
    chat = await good(
        http, server, "/v1/chat/completions", model="gpt-4o-mini", messages=HELLO, max_tokens=1
    )
    assert chat["model"] == "tiny-64k"


@pytest.mark.parametrize(
    "asked",
    [
        {"prompt": [7] * 9000},
        {"prompt": "word " * 20000},
        {"prompt": "x", "max_tokens": 9000},
        {"prompt": "x" * 900_000},
    ],
    ids=["ids", "words", "answer", "one long word"],
)
async def test_too_long_for_the_context_names_the_numbers(
    http: aiohttp.ClientSession, server: Launched, asked: Body
) -> None:
    status, answer = await post(http, server, "/v1/completions", **asked)
    assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")
    assert "8192" in answer["error"]["message"]
