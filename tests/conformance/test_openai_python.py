"""OpenAI's own Python SDK, sync and async, on every route."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from deploy.launch import Launched, launch

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
FAIL: list[ChatCompletionMessageParam] = [{"role": "user", "content": "please-fail"}]
HOLD: list[ChatCompletionMessageParam] = [{"role": "user", "content": "please-hold"}]
MODEL = "gpt-4o"


@pytest.fixture
def client(server: Launched) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key=server.key, max_retries=0) as opened:
        yield opened


@pytest.fixture
async def aclient(server: Launched) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0) as opened:
        yield opened


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        n=2,
        seed=1,
        temperature=0.5,
        max_completion_tokens=5,
        stop=[f"stop{number}" for number in range(40)],
        logit_bias={"5": 1},
        user="somebody",
        metadata={"unknown": "here"},
    )
    assert [choice.finish_reason for choice in answer.choices] == ["length"] * 2
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 10


@pytest.mark.parametrize("wants_usage", [True, False])
def test_chat_streamed(client: openai.OpenAI, wants_usage: bool) -> None:
    options = {"include_usage": True} if wants_usage else None
    stream = client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, extra_body={"stream_options": options}
    )
    chunks = list(stream)
    finishes = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    assert finishes[-1] == "stop"
    used = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
    assert used == ([8] if wants_usage else [])


def test_completions_with_a_list_of_prompts_streamed_and_not(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=MODEL, prompt=[5, 6, 7], max_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    chunks = list(client.completions.create(model=MODEL, prompt="x", max_tokens=3, stream=True))
    assert chunks[-1].choices[0].finish_reason == "length"


def test_responses_streamed_and_not(client: openai.OpenAI) -> None:
    answer = client.responses.create(model=MODEL, input="hello", max_output_tokens=4)
    assert answer.output_text
    assert answer.usage is not None
    assert answer.usage.output_tokens == 4
    events = list(client.responses.create(model=MODEL, input="hello", stream=True))
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]


def test_models(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == "scripted"
    assert client.models.retrieve(MODEL).id == "scripted"


async def test_the_async_client_too(aclient: openai.AsyncOpenAI) -> None:
    answer = await aclient.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content
    stream = await aclient.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    text = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(text) == answer.choices[0].message.content
    events = await aclient.responses.create(model=MODEL, input="hello", stream=True)
    assert [event.type async for event in events][-1] == "response.completed"


def test_errors_are_the_sdks_own_classes(client: openai.OpenAI, server: Launched) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-nothing", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.completions.create(model=MODEL, prompt="x" * 9000)
    assert long.value.code == "context_length_exceeded"
    assert "8192" in long.value.message
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(model=MODEL, prompt="x", best_of=3)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "best_of")
    with pytest.raises(openai.AuthenticationError) as wrong:
        client.with_options(api_key="cl-wrong").models.list()
    assert wrong.value.code == "invalid_api_key"


async def test_a_full_lane_is_a_rate_limit_error_with_a_time(
    aclient: openai.AsyncOpenAI,
) -> None:
    lane = {"x-codeloop-lane": "eval"}  # one slot, no queue
    holding = await aclient.chat.completions.create(
        model=MODEL, messages=HOLD, stream=True, extra_headers=lane
    )
    await anext(aiter(holding))
    with pytest.raises(openai.RateLimitError) as refusal:
        await aclient.chat.completions.create(model=MODEL, messages=HELLO, extra_headers=lane)
    await holding.close()
    assert refusal.value.code == "lane_overloaded"
    assert int(refusal.value.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "fields",
    [
        {"stop": [f"stop {number}" for number in range(1024)]},
        {"logprobs": True, "top_logprobs": 20},
        {"response_format": {"type": "json_object"}},
        {"presence_penalty": 2.0, "frequency_penalty": -2.0},
        {"extra_body": {"top_k": 5, "min_p": 0.1, "never_heard_of": {"it": 1}}},
        {"stream": True, "n": 3},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_fields_that_clients_send_are_accepted(
    client: openai.OpenAI, fields: dict[str, Any]
) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, **fields)
    if fields.get("stream"):
        indexes = {choice.index for chunk in answer for choice in chunk.choices}
        assert indexes == {0, 1, 2}
    else:
        assert answer.choices[0].message.content


def test_an_engine_that_restarts_is_a_503_that_says_when(tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text("start_seconds = 1\n[[faults]]\nkind = 'die'\nafter_tokens = 3\n"
                      "when = 'please-die'\n")  # fmt: skip
    settings = f"[[server.models]]\nname = 'x'\nengine = 'scripted'\nscript = '{script}'\n"
    with (
        launch(tmp_path / "home", settings=settings) as server,
        openai.OpenAI(base_url=server.url, api_key=server.key, max_retries=0) as client,
    ):
        with pytest.raises(openai.APIError) as died:
            list(client.completions.create(model="x", prompt="please-die", stream=True))
        assert died.value.code == "engine_died"
        refusals = list(_refusals_until_it_is_back(client))
    away = next(error for error in refusals if error.status_code == 503)
    assert away.code == "engine_unavailable"
    assert all(int(error.response.headers["retry-after"]) >= 1 for error in refusals)


def _refusals_until_it_is_back(client: openai.OpenAI) -> Iterator[openai.InternalServerError]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            client.completions.create(model="x", prompt="hello")
        except openai.InternalServerError as error:
            yield error
        else:
            return
    pytest.fail("the engine did not come back")


def test_a_stream_that_breaks_raises(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=FAIL, stream=True)
    with pytest.raises(openai.APIError, match="the script says so"):
        list(stream)
