"""vLLM in a child process: AsyncLLM and its own OpenAI app on a unix socket.

The one file that imports vllm. It offers an allow-list of vLLM's routes and our control routes,
which call AsyncLLM directly: vLLM's development mode stays off, and nothing listens on a port.
Started by `engine_process`; everything after `--` is vLLM's own command line.
"""

import argparse
import asyncio
import json
import re
import sys
from collections import OrderedDict
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from server.engine_child import (
    ABORT_PATH,
    ASGIApp,
    ChildServer,
    child_arguments,
    hold_lifeline,
    listen,
    run,
)

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

REMEMBERED_REQUESTS = 4096
"""Ended requests whose counts are kept for the gateway to fetch; it asks at once."""

UNIQUE_PART = re.compile(r"[0-9a-f]{32}")

WATCH_SECONDS = 0.25
"""How often the engine core is looked at; a dead one ends this process so that it is restarted."""


class TokenLedger:
    """Token counts of ended requests, taken from the engine's own state at the moment of the end.

    vLLM forgets a request when it is aborted, and its answer then carries no usage. The state it
    drops holds the numbers that went into its counters, so usage stays equal to them. Requests
    that ended by themselves are kept too: the client may have left before it read the end.
    """

    def __init__(self, output_processor: Any) -> None:
        self._states = output_processor.request_states
        self._ended: OrderedDict[str, dict[str, _Count]] = OrderedDict()
        self._abort_requests = output_processor.abort_requests
        self._finish_request = output_processor._finish_request
        output_processor.abort_requests = self._record_then_abort
        output_processor._finish_request = self._record_then_finish

    def _record_then_finish(self, state: Any) -> None:
        self._record(state)
        self._finish_request(state)

    def _record_then_abort(self, request_ids: Any, internal: bool) -> Any:
        asked = set(request_ids)
        for state in list(self._states.values()):
            names = {state.request_id, state.external_req_id}
            if state.parent_req is not None:
                names.add(state.parent_req.request_id)
            if names & asked:
                self._record(state)
        return self._abort_requests(asked, internal)

    def _record(self, state: Any) -> None:
        counts = self._ended.setdefault(_unique_part(state.external_req_id), {})
        # By the engine's id of the one choice: aborting its parent comes by here twice.
        counts[state.request_id] = _Count(
            prompt_id=state.external_req_id,
            # The engine counts a prompt when its prefill ends.
            prompt=0 if state.is_prefilling else state.prompt_len,
            completion=state.stats.num_generation_tokens if state.stats else 0,
            cached=state.num_cached_tokens,
        )
        while len(self._ended) > REMEMBERED_REQUESTS:
            self._ended.popitem(last=False)

    def running_ids(self, request_id: str) -> set[str]:
        """The engine's external ids of live requests that belong to a gateway request."""
        unique = _unique_part(request_id)
        return {
            state.external_req_id
            for state in self._states.values()
            if unique in state.external_req_id
        }

    def count(self, request_id: str) -> dict[str, int] | None:
        """Counts over all prompts and choices of a gateway request; None when it is unknown."""
        choices = self._ended.get(_unique_part(request_id))
        if choices is None:
            return None
        # The choices of one prompt share it; it counts once, when the first of them has read it.
        prompts: dict[str, _Count] = {}
        for choice in choices.values():
            other = prompts.get(choice.prompt_id, choice)
            prompts[choice.prompt_id] = max(choice, other, key=lambda count: count.prompt)
        return {
            "prompt": sum(choice.prompt for choice in prompts.values()),
            "completion": sum(choice.completion for choice in choices.values()),
            "cached": sum(choice.cached for choice in prompts.values()),
        }


class _Count(NamedTuple):
    prompt_id: str
    prompt: int
    completion: int
    cached: int


def _unique_part(request_id: str) -> str:
    """The 32 hex digits that end every gateway id, wherever the engine has put the id."""
    found = UNIQUE_PART.findall(request_id)
    return found[-1] if found else request_id


class HostApp:
    """ASGI: control routes, then the allow-list of vLLM's app, then 404."""

    def __init__(self, vllm_app: ASGIApp, engine: Any) -> None:
        self._vllm_app = vllm_app
        self._engine = engine
        self._ledger = TokenLedger(engine.output_processor)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(ABORT_PATH):
            await self._abort(path.removeprefix(ABORT_PATH), send)
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
        tasks = await engine.get_supported_tasks()
        app = build_app(vllm_arguments, tasks, engine.model_config)
        await init_app_state(engine, app.state, vllm_arguments, tasks)
        server = listen(HostApp(app, engine), arguments)
        app.state.server = server  # vLLM's error handler asks it to end when the engine is dead
        watch = asyncio.create_task(_end_with_engine(engine, server))
        try:
            await server.serve()
        finally:
            watch.cancel()
        if engine.errored:
            raise SystemExit("the engine core died")


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
    arguments = child_arguments("vLLM engine host").parse_args(ours)
    hold_lifeline(arguments.lifeline)
    run(serve_vllm(arguments, vllm_command_line))


if __name__ == "__main__":
    main()
