"""The thin client: what it reads, what it asks again, and what it gives up on, with which words."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from evaluator.completer import Completion, Sampling
from evaluator.errors import AccessRefused, EndpointFailed, RequestRefused
from evaluator.http_completer import Deadlines, HttpCompleter
from evaluator.prompt import Chat, Infill, Message, Text, ask
from evaluator.retry import Patience, retry_after_seconds

AT_ONCE = Patience(seconds=30, first_wait_seconds=0.001, longest_wait_seconds=0.001)
NO_PATIENCE = Patience(seconds=0)
SHORT = Deadlines(first_byte_seconds=0.3, between_bytes_seconds=0.3)
Client = Callable[..., HttpCompleter]


@pytest_asyncio.fixture
async def client(endpoint: Any) -> AsyncIterator[Client]:
    """Make clients of the endpoint."""
    made = []

    def make(**options: Any) -> HttpCompleter:
        chosen: dict[str, Any] = {"model": "tiny", "patience": AT_ONCE} | options
        made.append(HttpCompleter(endpoint.url, **chosen))
        return made[-1]

    yield make
    for completer in made:
        await completer.close()


async def complete(completer: HttpCompleter, **sampling: Any) -> Completion:
    return await completer.complete(ask("hello"), Sampling(**sampling))


async def test_a_whole_answer_brings_text_reasoning_tokens_and_version(
    endpoint: Any, client: Client
) -> None:
    endpoint.reply = lambda *_: endpoint.plain("42", reasoning_content="six times seven")
    found = await complete(client(streams=False))
    assert (found.text, found.reasoning, found.finish_reason) == ("42", "six times seven", "stop")
    assert (found.prompt_tokens, found.completion_tokens, found.model_version) == (7, 3, "v12")
    assert found.first_token_seconds is None
    assert found.num_retries == 0


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_a_stream_brings_the_same_and_the_time_of_its_first_token(
    endpoint: Any, client: Client, name: str
) -> None:
    endpoint.reply = lambda *_: endpoint.stream("4", "2", **{name: "m"})
    found = await complete(client())
    assert (found.text, found.reasoning, found.finish_reason) == ("42", "mm", "stop")
    assert (found.prompt_tokens, found.completion_tokens, found.model_version) == (7, 3, "v12")
    assert found.first_token_seconds is not None
    assert 0 < found.first_token_seconds <= found.latency_seconds


async def test_what_is_asked_is_what_was_said(endpoint: Any, client: Client) -> None:
    completer = client(key="cl-1", lane="eval")
    sampling = Sampling(temperature=0.6, top_p=0.95, max_tokens=9, seed=5, stop=("\n\n",))
    chat = Chat(messages=(Message(role="system", content="s"), Message(role="user", content="u")))
    await completer.complete(chat, sampling)
    await completer.complete(Text(text="def f", stop=("\ndef",)), sampling)
    await completer.complete(Infill(prefix="a", suffix="b"), sampling)
    first, second, third = endpoint.requests
    assert endpoint.paths == ["/v1/chat/completions", "/v1/completions", "/v1/completions"]
    assert [turn["role"] for turn in first["messages"]] == ["system", "user"]
    assert (first["temperature"], first["top_p"], first["max_tokens"]) == (0.6, 0.95, 9)
    assert (first["seed"], first["stop"], first["model"]) == (5, ["\n\n"], "tiny")
    assert (second["prompt"], second["stop"]) == ("def f", ["\n\n", "\ndef"])
    assert (third["prompt"], third["suffix"]) == ("a", "b")
    assert endpoint.headers[0]["authorization"] == "Bearer cl-1"
    assert endpoint.headers[0]["x-codeloop-lane"] == "eval"


FAULTS: dict[str, Callable[[Any], Any]] = {
    "429": lambda e: e.error(429),
    "429 with retry-after": lambda e: e.error(429, retry_after="0"),
    "408": lambda e: e.error(408),
    "500": lambda e: e.error(500),
    "503": lambda e: e.error(503, retry_after="0"),
    "half json": lambda e: e.Reply(body=b'{"choices": [{"message": {"content": "4'),
    "json of another shape": lambda e: e.Reply(body=b'{"choices": "many"}'),
    "a list": lambda e: e.Reply(body=b"[]"),
    "no choices": lambda e: e.Reply(body=b'{"choices": []}'),
    "nothing at all": lambda e: e.Reply(),
    "a body cut short": lambda e: e.Reply(body=b"{", breaks=True),
    "a stream cut short": lambda e: e.stream("4", is_whole=False),
    "half an event": lambda e: e.Reply(
        headers={"content-type": "text/event-stream"}, body=b'data: {"choices": [{"in\n\n'
    ),
    "an error event": lambda e: e.Reply(
        headers={"content-type": "text/event-stream"},
        body=b'data: {"error": {"message": "died", "type": "server_error"}}\n\n',
    ),
    "silence": lambda e: e.Reply(hangs=True),
    "silence in mid-stream": lambda e: e.Reply(
        headers={"content-type": "text/event-stream"},
        body=b'data: {"choices": [{"index": 0, "delta": {"content": "4"}}]}\n\n',
        hangs=True,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_that_passes_costs_a_retry_and_no_answer(
    endpoint: Any, client: Client, fault: str
) -> None:
    endpoint.reply = lambda number, _: (
        FAULTS[fault](endpoint) if number < 3 else endpoint.plain("42")
    )
    found = await complete(client(deadlines=SHORT))
    assert (found.text, found.num_retries) == ("42", 3)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_that_stays_ends_in_words_that_name_the_endpoint(
    endpoint: Any, client: Client, fault: str
) -> None:
    endpoint.reply = lambda *_: FAULTS[fault](endpoint)
    with pytest.raises(EndpointFailed, match="no answer in 1 tries") as failed:
        await complete(client(patience=NO_PATIENCE, deadlines=SHORT))
    assert endpoint.url in str(failed.value)


async def test_an_endpoint_that_is_not_there_is_named(client: Client) -> None:
    completer = HttpCompleter("http://127.0.0.1:9/v1", model="m", patience=NO_PATIENCE)
    with pytest.raises(EndpointFailed, match=r"http://127\.0\.0\.1:9/v1 gave no answer"):
        await complete(completer)
    await completer.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused),
        (422, RequestRefused),
        (401, AccessRefused),
        (403, AccessRefused),
        (404, AccessRefused),
    ],
)
async def test_a_refusal_is_not_asked_again(
    endpoint: Any, client: Client, status: int, kind: type[EndpointFailed]
) -> None:
    endpoint.reply = lambda *_: endpoint.error(status, "because of the moon")
    with pytest.raises(kind, match=f"{status}: because of the moon"):
        await complete(client())
    assert len(endpoint.requests) == 1


async def test_a_wait_that_is_longer_than_the_patience_is_not_begun(
    endpoint: Any, client: Client
) -> None:
    endpoint.reply = lambda *_: endpoint.error(429, "later", retry_after="3600")
    with pytest.raises(EndpointFailed, match="asks to wait 3600 s"):
        await complete(client())
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("streams", [True, False])
async def test_ten_megabytes_come_whole(endpoint: Any, client: Client, streams: bool) -> None:
    text = "x" * 10_000_000
    endpoint.reply = lambda *_: (
        endpoint.stream(text, "y") if streams else endpoint.plain(text + "y")
    )
    found = await complete(client(streams=streams))
    assert found.text == text + "y"


async def test_an_empty_answer_is_an_answer(endpoint: Any, client: Client) -> None:
    endpoint.reply = lambda *_: endpoint.stream("")
    assert (await complete(client())).text == ""
    endpoint.reply = lambda *_: endpoint.plain("")
    assert (await complete(client())).text == ""


async def test_more_tokens_than_the_context_has_become_what_it_has(
    endpoint: Any, client: Client
) -> None:
    endpoint.card = {"id": "tiny", "max_model_len": 4096}
    completer = client()
    await completer.identify()
    await complete(completer, max_tokens=65536)
    assert endpoint.requests[0]["max_tokens"] == 4096


async def test_a_refusal_that_tells_the_room_left_is_asked_again_with_that(
    endpoint: Any, client: Client
) -> None:
    said = (
        "This model's maximum context length is 4096 tokens. However, you requested 65636 tokens"
        " (100 in the messages, 65536 in the completion)."
    )
    endpoint.reply = lambda number, _: endpoint.plain("42") if number else endpoint.error(400, said)
    assert (await complete(client(), max_tokens=65536)).text == "42"
    assert endpoint.requests[1]["max_tokens"] == 3996


async def test_the_first_listed_model_is_taken_and_told_with_its_weights(
    endpoint: Any, client: Client
) -> None:
    endpoint.card = {"id": "deepcoder", "weights": "sha256:12", "family": "deepcoder"}
    completer = client(model="")
    found = await completer.identify()
    assert (found["model"], found["weights"], found["url"]) == (
        "deepcoder", "sha256:12", endpoint.url,
    )  # fmt: skip
    await complete(completer)
    assert endpoint.requests[0]["model"] == "deepcoder"


async def test_a_server_that_lists_no_models_needs_a_name(endpoint: Any, client: Client) -> None:
    endpoint.card = None
    assert (await client(model="mine").identify())["model"] == "mine"
    with pytest.raises(EndpointFailed, match="404"):
        await client(model="").identify()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("nan", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(
    value: str | None, seconds: float | None
) -> None:
    now = dt.datetime(2026, 11, 21, 10, 0, 0, tzinfo=dt.UTC)
    assert retry_after_seconds(value, now=now) == seconds
