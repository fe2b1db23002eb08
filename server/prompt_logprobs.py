"""Log probabilities of a prompt: how many one request may ask for.

The engine turns each into text one by one while every other answer waits, 30 to 40 microseconds
each (vLLM 0.32). A prompt of 64K tokens with 20 alternatives would be a minute of silence for
all; 128 answers to it, each with its own copy, more memory than the machine has.
"""

from typing import Any

import orjson

from server.errors import ApiError

MOST_ENTRIES = 2**18
"""Some ten seconds. An evaluation that scores 32 prompts of 4,000 tokens with one alternative fits."""

BYTES_PER_TOKEN = 3
"""Of text, at the least that code has on average; what the engine will count is not known yet."""


def limit_prompt_logprobs(prompt: Any, alternatives: int | None, *, n: int, param: str) -> None:
    """Raise ApiError 400 when the prompt's log probabilities would be too many.

    prompt: as in the body: text, token ids, lists of them, or messages. alternatives: tokens at
    each position beside the prompt's own; None asks for no log probabilities.
    """
    if alternatives is None:
        return
    entries = _tokens(prompt) * (alternatives + 1) * n
    if entries > MOST_ENTRIES:
        raise ApiError(
            400,
            f"{param} asks for about {entries} log probabilities of prompt tokens (tokens x"
            f" alternatives x answers): at most {MOST_ENTRIES} in one request; ask for fewer"
            " alternatives, for one answer, or send the prompts one by one.",
            code="invalid_value",
            param=param,
        )


def _tokens(prompt: Any) -> int:
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], int):
        return len(prompt)
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], list):
        return sum(map(len, prompt))
    return len(orjson.dumps(prompt)) // BYTES_PER_TOKEN + 1
