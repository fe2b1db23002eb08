"""An engine that replays a script: no model, no GPU, any pace, any fault on demand.

It ships: tests and benchmarks run against it, and whoever writes a client can use it on a laptop
without a model. A child process on a socket, as vLLM's host is, so that supervision, streaming
and failures are exercised for real. A token of a prompt is one byte of UTF-8; a token of an
answer is one word.
"""

import argparse
import asyncio
import itertools
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from server.engine_child import ABORT_PATH, child_arguments, hold_lifeline, listen, run
from server.engine_control import EngineControl
from server.engine_process import EngineCommand
from server.families import Family
from server.script import SWAP_FAULTS, Fault, Script, read_script
from server.scripted_answer import Answer, event
from server.scripted_control import (
    EXIT_CODE_OF_FAULT,
    ScriptedAdapters,
    ScriptedSampler,
    ScriptedSwap,
)
from server.settings import ModelSettings
from server.vllm_engine import probe_request
from server.weight_swap import WeightSwap

WORDS = re.compile(r"\S+\s*|\s+")
VERSION_MARK = "{version}"
"""Where a script's text has it, an answer has the version that the token is of."""
JSON = b"application/json"
EVENTS = b"text/event-stream"


def scripted_command(settings: ModelSettings, *, context_tokens: int) -> EngineCommand:
    """The child process that plays `settings.script` under `settings.name`."""
    script = ["--script", str(settings.script)] if settings.script else []
    return EngineCommand(
        arguments=[sys.executable, "-m", "server.scripted_engine"],
        trailing=[
            "--model",
            settings.name,
            "--context",
            str(context_tokens),
            "--adapter-rank",
            str(settings.adapter_rank),
            *script,
        ],
        probe=probe_request(settings.name),
    )


def scripted_family() -> Family:
    """The family of no model: nothing to add, nothing to forbid."""
    return Family(name="scripted", title="Scripted engine")


class _HangUp(Exception):
    """The script closes the connection in mid-answer."""


class ScriptedApp:
    """The engine's HTTP surface over raw ASGI; a framework would cost more than the answers."""

    def __init__(
        self, script: Script, *, model: str, context_tokens: int, adapter_rank: int
    ) -> None:
        self._script = script
        self._model = model
        self._context_tokens = context_tokens
        self._words = WORDS.findall(script.text) or ["."]
        self._slots = asyncio.Semaphore(script.slots or sys.maxsize)
        self._running: dict[str, Answer] = {}
        self._aborted: dict[str, Answer] = {}
        self._faults = [
            (fault, itertools.count(1)) for fault in script.faults if fault.kind not in SWAP_FAULTS
        ]
        self._swap, adapters = ScriptedSwap(script), ScriptedAdapters()
        self._control = EngineControl(
            WeightSwap(self._swap, script.weights),
            adapters,
            ScriptedSampler(script, self._words, self._swap, adapters),
            running=script.weights,
            adapter_rank=adapter_rank,
        )
        self._generated = 0
        self._prompted = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        if path == "/health":
            await _answer(send, 200, b"{}")
        elif path == "/metrics":
            await _answer(send, 200, self._metrics(), b"text/plain")
        elif path.startswith(ABORT_PATH):
            await self._abort(path.removeprefix(ABORT_PATH), send)
        elif path in self._control.paths:
            await self._control(scope, receive, send)
        elif path in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
            await self._generate(scope, receive, send)
        elif path == "/tokenize":
            tokens = list(_prompt_bytes(await _body(receive)))
            counts = {"count": len(tokens), "max_model_len": self._context_tokens, "tokens": tokens}
            await _answer(send, 200, orjson.dumps(counts))
        elif path == "/detokenize":
            tokens = (await _body(receive))["tokens"]
            if any(token > 255 for token in tokens):
                await _refuse(send, "tokens: a token of the scripted engine is a byte, 0 to 255")
                return
            text = bytes(tokens).decode(errors="replace")
            await _answer(send, 200, orjson.dumps({"prompt": text}))
        else:
            await _answer(send, 404, orjson.dumps({"error": f"no route {path}"}))

    async def _generate(self, scope: Any, receive: Any, send: Any) -> None:
        body = await _body(receive)
        request_id = (
            dict(scope["headers"]).get(b"x-request-id", b"").decode() or os.urandom(8).hex()
        )
        answer = Answer(request_id, body, scope["path"], len(_prompt_bytes(body)), self._model)
        fault = self._fault(orjson.dumps(body).decode())
        if answer.prompt_tokens >= self._context_tokens:
            await _refuse(
                send,
                f"This model's maximum context length is {self._context_tokens} tokens. However,"
                f" your prompt contains {answer.prompt_tokens} input tokens.",
            )
        elif fault and fault.kind == "refuse":
            await _refuse(send, "the script refuses this request")
        else:
            try:
                async with self._admitted(answer, receive):
                    await self._play(answer, fault, send)
            except (_HangUp, asyncio.CancelledError):
                # An ASGI application that ends without its last part makes the server hang up.
                return

    @asynccontextmanager
    async def _admitted(self, answer: Answer, receive: Any) -> AsyncIterator[None]:
        """Hold a slot; cancelled from outside when the client hangs up."""
        playing = asyncio.current_task()
        assert playing is not None
        watch = asyncio.create_task(_cancel_on_hang_up(receive, playing))
        try:
            async with self._slots:
                self._running[answer.id] = answer
                self._prompted += answer.prompt_tokens
                try:
                    yield
                except asyncio.CancelledError:
                    self._aborted[answer.id] = answer
                    raise
                finally:
                    del self._running[answer.id]
        finally:
            watch.cancel()

    async def _play(self, answer: Answer, fault: Fault | None, send: Any) -> None:
        num_tokens = min(self._script.num_tokens, answer.most_tokens)
        finish = "stop" if num_tokens == self._script.num_tokens else "length"
        if answer.is_stream:
            await _start(send, 200, EVENTS)
        texts: list[str] = []
        began = time.monotonic()
        for position in range(num_tokens):
            await self._wait(position, began)
            await self._happen(fault, position, send)
            if answer.is_aborted:
                raise _HangUp
            text = self._words[position % len(self._words)]
            text = text.replace(VERSION_MARK, answer.adapter or self._swap.version)
            answer.sent += answer.choices
            self._generated += answer.choices
            if answer.is_stream:
                await _more(send, answer.token_events(text, position))
            else:
                texts.append(text)
        await self._happen(fault, num_tokens, send)
        if answer.is_stream:
            await _more(send, answer.end_events(finish), more=False)
        else:
            await _answer(send, 200, orjson.dumps(answer.whole("".join(texts), finish)))

    async def _wait(self, position: int, began: float) -> None:
        pace = self._script.tokens_per_second
        due = began + self._script.first_token_seconds + (position / pace if pace else 0.0)
        if (seconds := due - time.monotonic()) > 0:
            await asyncio.sleep(seconds)
        await self._swap.may_go_on()

    async def _happen(self, fault: Fault | None, position: int, send: Any) -> None:
        if fault is None or position != fault.after_tokens:
            return
        if fault.kind == "die":
            os._exit(EXIT_CODE_OF_FAULT)
        elif fault.kind in ("stall", "slow_first_token"):
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "malformed":
            await _more(send, b'data: {"choices": [{"index": 0, "finish_reason":"st\n\n')
        elif fault.kind == "error":
            error = {"message": "the script says so", "type": "InternalServerError", "code": 500}
            await _more(send, event({"error": error}))
            raise _HangUp
        elif fault.kind == "hang_up":
            raise _HangUp

    def _fault(self, body: str) -> Fault | None:
        for fault, count in self._faults:
            if (not fault.when or fault.when in body) and next(count) % fault.every == 0:
                return fault
        return None

    async def _abort(self, request_id: str, send: Any) -> None:
        answer = self._running.get(request_id) or self._aborted.pop(request_id, None)
        if answer is None:
            await _answer(send, 404, b"{}")
            return
        answer.is_aborted = True
        counts = {"prompt": answer.prompt_tokens, "completion": answer.sent}
        await _answer(send, 200, orjson.dumps(counts))

    def _metrics(self) -> bytes:
        label = f'{{engine="0",model_name="{self._model}"}}'
        series = {
            "num_requests_running": ("gauge", len(self._running)),
            "generation_tokens_total": ("counter", self._generated),
            "prompt_tokens_total": ("counter", self._prompted),
        }
        return "".join(
            f"# TYPE vllm:{name.removesuffix('_total')} {kind}\nvllm:{name}{label} {value}\n"
            for name, (kind, value) in series.items()
        ).encode()


async def _cancel_on_hang_up(receive: Any, playing: asyncio.Task[Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    playing.cancel()


async def _body(receive: Any) -> dict[str, Any]:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return orjson.loads(b"".join(parts) or b"{}")  # type: ignore[no-any-return]


def _prompt_bytes(body: dict[str, Any]) -> bytes:
    prompt = body.get("prompt") or body.get("messages") or body.get("input") or ""
    return prompt.encode() if isinstance(prompt, str) else orjson.dumps(prompt)


async def _start(send: Any, status: int, content_type: bytes, length: int | None = None) -> None:
    headers = [(b"content-type", content_type)]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _more(send: Any, content: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": more})


async def _answer(send: Any, status: int, content: bytes, content_type: bytes = JSON) -> None:
    await _start(send, status, content_type, len(content))
    await _more(send, content, more=False)


async def _refuse(send: Any, message: str) -> None:
    error = {"message": message, "type": "BadRequestError", "param": None, "code": 400}
    await _answer(send, 400, orjson.dumps({"error": error}))


async def _serve(arguments: argparse.Namespace) -> None:
    script = read_script(arguments.script)
    await asyncio.sleep(script.start_seconds)
    app = ScriptedApp(
        script,
        model=arguments.model,
        context_tokens=arguments.context,
        adapter_rank=arguments.adapter_rank,
    )
    await listen(app, arguments).serve()


def main() -> None:
    """Entry point of the child process; with --port also of a stand-alone engine."""
    parser = child_arguments("Scripted engine: replays tokens at a pace, with faults on demand")
    parser.add_argument("--model", default="scripted", help="served model name")
    parser.add_argument("--context", type=int, default=8192, help="longest prompt, in bytes")
    parser.add_argument("--adapter-rank", type=int, default=32, help="largest of an adapter")
    parser.add_argument("--script", type=Path, default=None, help="TOML file; see server/script.py")
    arguments = parser.parse_args()
    hold_lifeline(arguments.lifeline)
    run(_serve(arguments))


if __name__ == "__main__":
    main()
