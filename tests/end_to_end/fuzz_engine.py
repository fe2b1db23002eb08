"""Legal requests at random against the real engine: none may end it, none may be our fault.

    python tests/end_to_end/fuzz_engine.py --minutes 10

Every field that a route takes, alone and together, with the values at the ends of their ranges.
Whatever is answered 5xx, breaks off or takes too long is printed, so that it can be sent again;
any of that, or an engine that had to be started again, makes the exit code 1.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from deploy.launch import launch
from server.model_store import ModelStore

Body = dict[str, Any]
Draw = Callable[[random.Random], Any]

SETTINGS = """
[[server.models]]
name = "tiny-64k"
context_tokens = 8192
kv_cache_bytes = 67108864
engine_arguments = ["--num-gpu-blocks-override", "512"]
"""
"""Two windows of cache, so that requests push one another out."""
LANES = ("ide", "chat", "eval")
CONCURRENCY = 6
ANSWER_SECONDS = 120.0
CHANCE_OF_A_FIELD = 0.08
CHANCE_OF_A_HANG_UP = 0.03
VOCABULARY = 49216
PREFILLED_IN_CHUNKS = 2600

WORDS = [
    "def",
    "f(x):",
    "ünïcödé 🙂",
    "<|im_end|>",
    "<think>",
    "</think>",
    "\x00",
    "\n\t",
    "{}",
    "␀ 中文",
]
SCHEMAS: list[Any] = [
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    {"type": "array", "items": {"enum": ["a", 1, None, True]}, "minItems": 2, "maxItems": 3},
    {"type": "string", "pattern": "^[a-f]{2,4}$"},
    {"type": "string", "minLength": 10**6},
    {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/n"}], "$defs": {"n": {"type": "number"}}},
    {"$ref": "#"},
    {"type": "integer", "minimum": 5, "maximum": 3},
    {"type": "nothing"},
    {},
]
EXPRESSIONS = [
    "a+",
    "(a|b){3}",
    "[^\\n]*",
    "(((a{1,99}){1,99}){1,99})",
    "a{100000}",
    "(",
    "\\p{L}",
    "",
]
GRAMMARS = ['root ::= "a" root | "b"', "root ::= root", 'start: "a"', "x", "", 'root ::= "\\u0000"']
CHOICES = [["a"], ["a", "ab", "abc"], ["", "x"], ["🙂"], [], ["x" * 9999], ["a"] * 999]
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMAS[1]}}


def one_of(*values: object) -> Draw:
    return lambda rng: rng.choice(values)


def number(low: float, high: float) -> Draw:
    """The ends, next to the ends, or between them."""
    near = (high - low) * 1e-9
    return lambda rng: rng.choice([low, low + near, rng.uniform(low, high), high - near, high])


def token(rng: random.Random) -> int:
    if rng.random() < 0.02:
        return rng.choice([VOCABULARY, 2**31, 2**62])
    return rng.choice([0, 1, 5, rng.randrange(VOCABULARY), VOCABULARY - 1])


def tokens(most: int) -> Draw:
    return lambda rng: [token(rng) for _ in range(rng.randint(0, most))]


def known_tokens(rng: random.Random, most: int) -> list[int]:
    return [rng.randrange(VOCABULARY - 100) for _ in range(rng.randint(1, most))]


def text(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.choice([0, 1, 2, 10, 60])))


def texts(most: int) -> Draw:
    return lambda rng: [text(rng) for _ in range(rng.randint(0, most))]


def bias(rng: random.Random) -> dict[str, float]:
    return {str(token(rng)): number(-100, 100)(rng) for _ in range(rng.choice([0, 1, 5, 400]))}


def constraint(rng: random.Random) -> Body:
    name, values = rng.choice(
        [("json", SCHEMAS), ("regex", EXPRESSIONS), ("grammar", GRAMMARS), ("choice", CHOICES)]
    )
    return {name: rng.choice(values)} | ({"json_object": True} if rng.random() < 0.05 else {})


def response_format(rng: random.Random) -> Body:
    kind = rng.choice(["text", "json_object", "json_schema"])
    schema = {"name": "x", "schema": rng.choice(SCHEMAS), "strict": True}
    return {"type": kind, "json_schema": schema} if kind == "json_schema" else {"type": kind}


def prompt(rng: random.Random) -> object:
    kind = rng.choice(
        ["text", "text", "ids", "ids", "chunks", "texts", "id lists", "long", "empty"]
    )
    return {
        "text": text(rng) or "x",
        "ids": known_tokens(rng, 40) if rng.random() < 0.9 else tokens(9)(rng),
        "chunks": (known_tokens(rng, 40) * PREFILLED_IN_CHUNKS)[:PREFILLED_IN_CHUNKS],
        "texts": [text(rng) or "y" for _ in range(rng.randint(1, 6))],
        "id lists": [known_tokens(rng, 9) for _ in range(rng.randint(1, 6))],
        "long": "word " * rng.choice([4000, 9000]),
        "empty": "",
    }[kind]


def message(rng: random.Random) -> Body:
    role = rng.choice(["user", "system", "assistant", "tool", "developer", "user", "user"])
    content = rng.choice([text(rng), text(rng), [], [{"type": "text", "text": text(rng)}]])
    if role == "tool":
        return {"role": role, "content": content, "tool_call_id": "c"}
    if role == "assistant" and rng.random() < 0.3:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": text(rng)}}
        return {"role": role, "content": None, "tool_calls": [call]}
    return {"role": role, "content": content}


def conversation(rng: random.Random) -> list[Body]:
    return [message(rng) for _ in range(rng.randint(1, 4))]


SAMPLING: dict[str, Draw] = {
    "n": one_of(1, 2, 3, 5, 32, 128),
    "temperature": number(0, 2),
    "top_p": number(1e-9, 1),
    "top_k": one_of(-1, 0, 1, 7, VOCABULARY, 2**31 - 1),
    "min_p": number(0, 1),
    "frequency_penalty": number(-2, 2),
    "presence_penalty": number(-2, 2),
    "repetition_penalty": one_of(1e-30, 1e-6, 0.5, 1, 3, 10),
    "max_tokens": one_of(0, 1, 2, 8, 16, 64, 300, 9000),
    "min_tokens": one_of(0, 1, 5, 12),
    "stop": one_of("a", ["e", "the"], [str(number) for number in range(32)], [], ["\x00", "🙂"]),
    "stop_token_ids": tokens(3),
    "allowed_token_ids": tokens(4),
    "bad_words": texts(4),
    "seed": one_of(0, 1, -1, 2**63 - 1, -(2**63)),
    "logit_bias": bias,
    "stream_options": one_of({"include_usage": True}, {"continuous_usage_stats": True}, {}),
    "stream_interval": one_of(1, 3, 10**6),
    "prompt_logprobs": one_of(0, 1, 5, 20),
    "logprob_token_ids": tokens(3),
    "ignore_eos": one_of(True, False),
    "skip_special_tokens": one_of(True, False),
    "spaces_between_special_tokens": one_of(True, False),
    "include_stop_str_in_output": one_of(True, False),
    "add_special_tokens": one_of(True, False),
    "return_token_ids": one_of(True, False),
    "return_tokens_as_token_ids": one_of(True, False),
    "repetition_detection": one_of(
        {"max_pattern_size": 3, "min_count": 2},
        {"max_pattern_size": 10**9, "min_count": 2},
        {"max_pattern_size": 2, "min_pattern_size": 1, "min_count": 10**18},
    ),
    "thinking_token_budget": one_of(-1, 0, 5),
    "routed_experts_prompt_start": one_of(0, 1, 10**6),
    "truncation_side": one_of("left", "right"),
    "session_id": text,
    "user": text,
    "structured_outputs": constraint,
    "response_format": response_format,
}
CHAT: dict[str, Draw] = {
    "max_completion_tokens": one_of(1, 16, 200),
    "logprobs": one_of(True, False),
    "top_logprobs": one_of(0, 1, 20),
    "tools": one_of([TOOL], [TOOL, TOOL], []),
    "tool_choice": one_of(
        "auto", "required", "none", {"type": "function", "function": {"name": "f"}}
    ),
    "parallel_tool_calls": one_of(True, False),
    "reasoning_effort": one_of("none", "low", "high"),
    "include_reasoning": one_of(True, False),
    "echo": one_of(True, False),
    "add_generation_prompt": one_of(True, False),
    "continue_final_message": one_of(True, False),
    "chat_template_kwargs": one_of(
        {}, {"enable_thinking": False}, {"tokenize": False}, {"tools": 5}
    ),
}
COMPLETIONS: dict[str, Draw] = {
    "echo": one_of(True, False),
    "logprobs": one_of(0, 1, 5, 20),
}
RESPONSES: dict[str, Draw] = {
    "instructions": text,
    "max_output_tokens": one_of(1, 16, 200),
    "top_logprobs": one_of(0, 1, 20),
    "include": one_of(["message.output_text.logprobs"], []),
    "reasoning": one_of({"effort": "low"}, {}),
    "text": lambda rng: {
        "format": {"type": "json_schema", "name": "x", "schema": rng.choice(SCHEMAS)}
    },
    "truncation": one_of("auto", "disabled"),
    "metadata": one_of({"a": "b"}, {}),
}


OF_A_ROUTE: dict[str, tuple[dict[str, Draw], dict[str, Draw]]] = {
    "chat/completions": (CHAT, {"messages": conversation}),
    "completions": (COMPLETIONS, {"prompt": prompt}),
    "responses": (RESPONSES, {"input": text}),
}
"""Fields of one route only, and the one that it needs."""


class Request(NamedTuple):
    """One request of the fuzz."""

    path: str
    body: Body
    lane: str = "chat"


def draw(rng: random.Random) -> Request:
    """A request whose every field is one that the route documents, with a value that it takes."""
    fields = {name: take for name, take in SAMPLING.items() if rng.random() < CHANCE_OF_A_FIELD}
    route = rng.choice(["chat/completions", "completions", "completions", "responses", "tokenize"])
    if route == "tokenize":
        ids: Body = {"tokens": tokens(30)(rng)}
        spoken: Body = rng.choice([{"prompt": text(rng)}, {"messages": conversation(rng)}])
        return rng.choice([Request("/detokenize", ids), Request("/tokenize", spoken)])
    own, asked = OF_A_ROUTE[route]
    fields |= {name: take for name, take in own.items() if rng.random() < 2 * CHANCE_OF_A_FIELD}
    most_tokens = "max_output_tokens" if route == "responses" else "max_tokens"
    body = {most_tokens: 12} | {name: take(rng) for name, take in (asked | fields).items()}
    if rng.random() < 0.05 and route == "completions":
        body["suffix"] = text(rng)
    return Request(f"/v1/{route}", _mended(rng, body, route))


def _mended(rng: random.Random, body: Body, route: str) -> Body:
    """Most fields that lack their partner get it, so that the engine is reached more often."""
    if rng.random() < 0.1:
        return body
    if "stream_options" in body or rng.random() < 0.4:
        body["stream"] = True
        body.pop("prompt_logprobs", None)
    if body.keys() & {"top_logprobs", "logprob_token_ids"} and route != "responses":
        body["logprobs"] = True if route == "chat/completions" else 1
    if "tool_choice" in body:
        body["tools"] = [TOOL]
    elif body.get("tools"):
        body["tool_choice"] = "required"
    if body.get("continue_final_message"):
        body["add_generation_prompt"] = False
    if body.get("temperature") == 0:
        body["n"] = 1
    return body


class Fuzz:
    """Sends requests until the time is up. faults: what should not have happened, to be read."""

    def __init__(self, base_url: str, key: str, *, seed: int) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self.faults: list[str] = []
        self._base_url = base_url
        self._headers = {"authorization": f"Bearer {key}"}
        self._rng = random.Random(seed)

    async def run(self, seconds: float) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._headers) as http:
            restarts = await self._restarts(http)
            end = time.monotonic() + seconds
            async with asyncio.TaskGroup() as clients:
                for _ in range(CONCURRENCY):
                    clients.create_task(self._client(http, end))
            if (now := await self._restarts(http)) != restarts:
                self.faults.append(f"the engine was started again {now - restarts} times")

    async def _client(self, http: aiohttp.ClientSession, end: float) -> None:
        while time.monotonic() < end:
            await self._send(http, draw(self._rng)._replace(lane=self._rng.choice(LANES)))

    async def _send(self, http: aiohttp.ClientSession, request: Request) -> None:
        try:
            url, lane = self._base_url + request.path, {"x-codeloop-lane": request.lane}
            async with http.post(url, json=request.body, headers=lane) as answer:
                status = answer.status
                if self._rng.random() < CHANCE_OF_A_HANG_UP:
                    answer.close()
                    return
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._fault(request, repr(error))
            return
        self.answers[request.path, status] += 1
        if status >= 500 or b'"type":"server_error"' in content or b'"code":"engine_' in content:
            self._fault(request, f"{status} {content[-600:].decode(errors='replace')}")

    def _fault(self, request: Request, found: str) -> None:
        fault = f"{request.path} {request.lane} {json.dumps(request.body)}\n    {found}"
        self.faults.append(fault)
        say(fault)

    async def _restarts(self, http: aiohttp.ClientSession) -> int:
        async with http.get(f"{self._base_url}/health") as answer:
            engines = (await answer.json())["engines"]
        return sum(engine["restarts"] for engine in engines.values())


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", help="a server that runs (without /v1); left out, one is started")
    parser.add_argument("--key", default="", help="its key")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        url, key = options.url, options.key
        if url is None:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ModelStore(home / "models").resolve("tiny-64k", pull=True)
            server = stack.enter_context(launch(home, settings=SETTINGS))
            url, key = server.base_url, server.key
        fuzz = Fuzz(url, key, seed=options.seed)
        asyncio.run(fuzz.run(options.minutes * 60))
    for (path, status), count in sorted(fuzz.answers.items()):
        say(f"{count:7} {status} {path}")
    say(f"{fuzz.answers.total()} requests, {len(fuzz.faults)} faults")
    return 1 if fuzz.faults else 0


if __name__ == "__main__":
    sys.exit(main())
