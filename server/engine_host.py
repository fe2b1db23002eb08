"""vLLM in a child process: AsyncLLM and its own OpenAI app on a unix socket.

With `engine_worker` the only file that imports vllm. It offers an allow-list of vLLM's routes and our control routes,
which call AsyncLLM directly: vLLM's development mode stays off, and nothing listens on a port.
Started by `engine_process`; everything after `--` is vLLM's own command line.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from server.engine import FIRST_VERSION
from server.engine_child import (
    ABORT_PATH,
    ASGIApp,
    ChildServer,
    child_arguments,
    hold_lifeline,
    listen,
    run,
)
from server.engine_control import EngineControl
from server.token_ledger import TokenLedger
from server.token_sampler import TokenSampler
from server.vllm_swap import VllmAdapters, VllmSwap
from server.weight_swap import WeightSwap

log = logging.getLogger(__name__)

ROUTES = frozenset(
    {
        "/health",
        "/metrics",
        "/tokenize",
        "/detokenize",
        "/v1/models",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
    }
)
"""All of vLLM's routes that the gateway may reach; the others answer 404."""

RESPONSES_ROUTE = "/v1/responses"

WATCH_SECONDS = 0.25
"""How often the engine core is looked at; a dead one ends this process so that it is restarted."""


class HostApp:
    """ASGI: control routes, then the allow-list of vLLM's app, then 404."""

    def __init__(self, vllm_app: ASGIApp, engine: Any, control: EngineControl) -> None:
        self._vllm_app = vllm_app
        self._engine = engine
        self._control = control
        self._ledger = TokenLedger(engine.output_processor)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(ABORT_PATH):
            await self._abort(path.removeprefix(ABORT_PATH), send)
        elif scope["type"] == "http" and path in self._control.paths:
            await self._control(scope, receive, send)
        elif scope["type"] == "http" and path not in ROUTES:
            await answer_json(send, 404, {"error": f"no route {path}"})
        elif path == RESPONSES_ROUTE:
            await self._respond(scope, receive, send)
        else:
            await self._vllm_app(scope, receive, send)

    async def _respond(self, scope: Any, receive: Any, send: Any) -> None:
        """A stream that fails ends with an error event.

        vLLM's other routes see to that themselves; this one hangs up (0.32), as a dead engine would,
        over a schema that cannot be met.
        """
        has_started = False

        async def watched(message: Any) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._vllm_app(scope, receive, watched)
        except Exception as error:
            if not has_started or self._engine.errored:
                raise
            await send({"type": "http.response.body", "body": error_event(error)})

    async def _abort(self, request_id: str, send: Any) -> None:
        if running := self._ledger.running_ids(request_id):
            await self._engine.abort(running)
        count = self._ledger.count(request_id)
        await answer_json(send, 404 if count is None else 200, count or {})


def error_event(error: Exception) -> bytes:
    """The event that vLLM's other routes would send for it."""
    from vllm.entrypoints.serve.exception_handling.error_response import create_error_response

    # Starlette wraps what it could not answer any more, because the answer had begun.
    found = error.__cause__ if isinstance(error.__cause__, Exception) else error
    return b"data: %s\n\n" % create_error_response(found).model_dump_json().encode()


async def answer_json(send: Any, status: int, body: object) -> None:
    """Send one small JSON answer over raw ASGI."""
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def serve_vllm(arguments: argparse.Namespace, vllm_command_line: list[str]) -> None:
    """Load the model, then serve until told to stop or until the engine core dies."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.entrypoints.launchers.api_server.app_state import init_app_state
    from vllm.entrypoints.launchers.api_server.entry import (
        build_async_engine_client_from_engine_args,
    )
    from vllm.entrypoints.launchers.app import build_app
    from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    vllm_arguments = make_arg_parser(FlexibleArgumentParser()).parse_args(vllm_command_line)
    validate_parsed_serve_args(vllm_arguments)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            build_async_engine_client_from_engine_args(
                AsyncEngineArgs.from_cli_args(vllm_arguments)
            )
        )
        await engine.update_weight_version(FIRST_VERSION)
        tasks = await engine.get_supported_tasks()
        app = build_app(vllm_arguments, tasks, engine.model_config)
        await init_app_state(engine, app.state, vllm_arguments, tasks)
        control = _control(engine, app, arguments, end=lambda: _end(server))
        server = listen(HostApp(app, engine, control), arguments)
        app.state.server = server  # vLLM's error handler asks it to end when the engine is dead
        watch = asyncio.create_task(_end_with_engine(engine, server))
        try:
            await server.serve()
        finally:
            watch.cancel()
        if engine.errored:
            raise SystemExit("the engine core died")


def _control(
    engine: Any, app: Any, arguments: argparse.Namespace, *, end: Callable[[], None]
) -> EngineControl:
    from vllm import SamplingParams
    from vllm.entrypoints.serve.lora.protocol import (
        LoadLoRAAdapterRequest,
        UnloadLoRAAdapterRequest,
    )
    from vllm.sampling_params import RequestOutputKind

    running = Path(engine.model_config.model)
    adapters = VllmAdapters(
        app.state.openai_serving_models, LoadLoRAAdapterRequest, UnloadLoRAAdapterRequest
    )
    make_params = partial(SamplingParams, output_kind=RequestOutputKind.FINAL_ONLY)
    return EngineControl(
        WeightSwap(VllmSwap(engine, end), running),
        adapters,
        TokenSampler(engine, make_params, adapters.find),
        running=running,
        adapter_rank=arguments.adapter_rank,
    )


def _end(server: ChildServer) -> None:
    """At once: requests that wait in a paused engine would hold a gentle end up for ever."""
    log.critical("the engine's weights cannot be restored: this process ends")
    server.force_exit = server.should_exit = True


async def _end_with_engine(engine: Any, server: ChildServer) -> None:
    while not engine.errored:
        await asyncio.sleep(WATCH_SECONDS)
    server.should_exit = True


def main() -> None:
    """Entry point of the child process."""
    ours, vllm_command_line = sys.argv[1:], []
    if "--" in ours:
        split = ours.index("--")
        ours, vllm_command_line = ours[:split], ours[split + 1 :]
    parser = child_arguments("vLLM engine host")
    parser.add_argument("--adapter-rank", type=int, default=0, help="largest of a LoRA adapter")
    arguments = parser.parse_args(ours)
    hold_lifeline(arguments.lifeline)
    run(serve_vllm(arguments, vllm_command_line))


if __name__ == "__main__":
    main()
