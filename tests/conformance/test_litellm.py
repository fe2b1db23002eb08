"""litellm as a client: what Aider, OpenHands and our own evaluator speak through."""

from typing import Any

import pytest

from deploy.launch import Launched

pytestmark = pytest.mark.filterwarnings("ignore")  # litellm's and pydantic's own, in their code
HELLO = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_chat_streamed_and_not(litellm: Any, server: Launched, provider: str) -> None:
    asked = {
        "model": f"{provider}/scripted",
        "messages": HELLO,
        "api_base": server.url,
        "api_key": server.key,
        "num_retries": 0,
    }
    answer = litellm.completion(**asked, max_tokens=5)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 5
    chunks = list(litellm.completion(**asked, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.startswith(answer.choices[0].message.content)


def test_errors_are_litellms_own_classes(litellm: Any, server: Launched) -> None:
    asked = {"messages": HELLO, "api_base": server.url, "num_retries": 0, "max_retries": 0}
    with pytest.raises(litellm.AuthenticationError):
        litellm.completion(model="openai/scripted", api_key="cl-wrong", **asked)
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(model="openai/nothing", api_key=server.key, **asked)
    long = asked | {"messages": [{"role": "user", "content": "x" * 9000}]}
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(model="openai/scripted", api_key=server.key, **long)
