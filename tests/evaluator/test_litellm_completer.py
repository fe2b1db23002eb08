"""litellm's side of the seam, against a real endpoint on loopback: the same answers, faults and words."""

import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

pytest.importorskip("litellm")

from evaluator.completer import Completion, Sampling
from evaluator.errors import AccessRefused, EndpointFailed, RequestRefused
from evaluator.litellm_completer import LitellmCompleter
from evaluator.prompt import Text, ask
from evaluator.retry import Patience

pytestmark = pytest.mark.filterwarnings("ignore")  # litellm's and pydantic's own, in their code
AT_ONCE = Patience(seconds=30, first_wait_seconds=0.001, longest_wait_seconds=0.001)
Client = Callable[..., LitellmCompleter]


@pytest_asyncio.fixture
async def client(endpoint: Any) -> AsyncIterator[Client]:
    made = []

    def make(model: str = "openai/tiny", **options: Any) -> LitellmCompleter:
        chosen: dict[str, Any] = {"patience": AT_ONCE, "key": "k", "base_url": endpoint.url}
        made.append(LitellmCompleter(model, **(chosen | options)))
        return made[-1]

    yield make
    for completer in made:
        await completer.close()


async def complete(completer: LitellmCompleter, **sampling: Any) -> Completion:
    return await completer.complete(ask("hello"), Sampling(**sampling))


async def test_an_answer_brings_text_reasoning_tokens_and_version(
    endpoint: Any, client: Client
) -> None:
    endpoint.reply = lambda *_: endpoint.plain("42", reasoning_content="six times seven")
    found = await complete(client(), temperature=0.6, top_p=0.95, max_tokens=9, seed=5)
    assert (found.text, found.reasoning, found.finish_reason) == ("42", "six times seven", "stop")
    assert (found.prompt_tokens, found.completion_tokens, found.model_version) == (7, 3, "v12")
    body = endpoint.requests[0]
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.6, 0.95, 9)
    assert (body["seed"], body["model"]) == (5, "tiny")


async def test_a_known_price_is_counted_and_an_unknown_one_is_not_zero(
    endpoint: Any, client: Client
) -> None:
    endpoint.reply = lambda *_: endpoint.plain("42")
    assert (await complete(client("openai/nobody-knows"))).cost is None
    cost = (await complete(client("openai/gpt-4o"))).cost
    assert cost is not None
    assert cost > 0


async def test_text_goes_to_completions(endpoint: Any, client: Client) -> None:
    endpoint.reply = lambda *_: endpoint.plain("42")
    completer = client("text-completion-openai/tiny")
    found = await completer.complete(Text(text="6*7=", stop=("\n",)), Sampling())
    assert found.text == "42"
    assert endpoint.paths == ["/v1/completions"]
    assert endpoint.requests[0]["stop"] == ["\n"]


def open_sessions() -> set[int]:
    return {
        id(found)
        for found in gc.get_objects()
        if type(found) is aiohttp.ClientSession and not found.closed
    }


@pytest.mark.parametrize("model", ["openai/gpt-4o", "openai/tiny", "text-completion-openai/tiny"])
async def test_text_needs_no_new_connections_each_time_and_leaves_none_open(
    endpoint: Any, model: str
) -> None:
    endpoint.reply = lambda *_: endpoint.plain("42")
    before = open_sessions()
    for _ in range(2):  # the second has a loop that litellm has seen before
        completer = LitellmCompleter(model, patience=AT_ONCE, key="k", base_url=endpoint.url)
        for _ in range(3):
            assert (await completer.complete(Text(text="6*7="), Sampling())).text == "42"
        assert len(open_sessions() - before) == 1
        await completer.close()
        assert open_sessions() <= before


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_fault_that_passes_costs_retries_and_no_answer(
    endpoint: Any, client: Client, status: int
) -> None:
    endpoint.reply = lambda number, _: (
        endpoint.plain("42") if number > 2 else endpoint.error(status, retry_after="0")
    )
    found = await complete(client())
    assert (found.text, found.num_retries) == ("42", 3)


async def test_a_fault_that_stays_is_told(endpoint: Any, client: Client) -> None:
    endpoint.reply = lambda *_: endpoint.error(500, "out of order")
    with pytest.raises(
        EndpointFailed, match=r"openai/tiny gave no answer in 1 tries.*out of order"
    ):
        await complete(client(patience=Patience(seconds=0)))


async def test_silence_ends(endpoint: Any, client: Client) -> None:
    endpoint.reply = lambda *_: endpoint.Reply(hangs=True)
    with pytest.raises(EndpointFailed, match="openai/tiny gave no answer"):
        await complete(client(answer_seconds=0.3, patience=Patience(seconds=0)))


@pytest.mark.parametrize(
    ("status", "kind"), [(400, RequestRefused), (401, AccessRefused), (404, AccessRefused)]
)
async def test_a_refusal_is_not_asked_again(
    endpoint: Any, client: Client, status: int, kind: type[EndpointFailed]
) -> None:
    endpoint.reply = lambda *_: endpoint.error(status, "because of the moon")
    with pytest.raises(kind, match="because of the moon"):
        await complete(client())
    assert len(endpoint.requests) == 1


async def test_a_provider_that_there_is_not_is_told(client: Client) -> None:
    with pytest.raises(AccessRefused, match="nosuch/model"):
        await complete(client("nosuch/model", base_url=""))
