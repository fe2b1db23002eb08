"""The node's ASGI application: programs in, outcomes out. Importing does nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any, TypeVar

import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive

from sandbox.admission import Admission, Runner
from sandbox.errors import SandboxError, ToolchainMissing
from sandbox.fusion import RunCodeBody, run_code_answer, run_code_fault
from sandbox.gate import Gate, refuse_open_door
from sandbox.node_metrics import NodeMetrics
from sandbox.program import Limits
from sandbox.refusals import RETRY_SECONDS, HungUp, Refusal, refusal_of
from sandbox.settings import NodeSettings
from sandbox.toolchain import program as program_of
from sandbox.toolchain import toolchains
from sandbox.toolchain_place import located
from sandbox.wire import BatchBody, RunBody, outcome_body, parsed

log = logging.getLogger(__name__)

BODY_SECONDS = 60.0
"""A body that is not whole by then is refused; 128 MiB need 18 Mbit/s."""

READY_SECONDS = 10.0
"""A node that failed last shows within this that it can run a program again."""

SLOW_PARSE_BYTES = 256 * 1024
"""A larger body is parsed, and a larger answer made, beside the event loop."""

DESCRIPTION = "Runs untrusted programs and says what they did."
ROUTES = ("/run", "/run_batch", "/run_code", "/languages", "/health", "/ready", "/metrics")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Answer = TypeVar("Answer")
Body = TypeVar("Body", bound=BaseModel)


def create_app(sandbox: Runner, settings: NodeSettings) -> FastAPI:
    """The application over an open sandbox, which the caller closes.

    Raises SandboxError when the settings would let anybody run programs.
    """
    refuse_open_door(settings)
    metrics = NodeMetrics()
    admission = Admission(sandbox, queue=settings.queue, metrics=metrics)
    app = FastAPI(
        title="codeloop sandbox",
        description=DESCRIPTION,
        version=version("codeloop"),
        docs_url=None,  # the pages of FastAPI load their scripts from the internet
        redoc_url=None,
    )
    _add_runs(app, admission)
    _add_views(app, sandbox, admission, metrics)
    app.add_middleware(Gate, settings=settings, metrics=metrics, routes=ROUTES)
    for kind in (Refusal, HungUp):
        app.add_exception_handler(kind, _refused)
    app.add_exception_handler(SandboxError, _sandbox_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _our_fault)
    return app


def _add_runs(app: FastAPI, admission: Admission) -> None:
    @app.post("/run", summary="Run a program", openapi_extra=_body_schema(RunBody))
    async def run(request: Request) -> Response:
        body = await _read(request, RunBody, admission)
        program, limits = body.program(), Limits.parse(body.limits)
        with admission.place():
            outcome = await _unless_hung_up(request.receive, admission.run(program, limits))
        return await _json(outcome_body, outcome)

    @app.post("/run_batch", summary="Run programs", openapi_extra=_body_schema(BatchBody))
    async def run_batch(request: Request) -> Response:
        body = await _read(request, BatchBody, admission)
        limits = Limits.parse(body.limits)
        programs = [
            program.program(f"programs[{index}]") for index, program in enumerate(body.programs)
        ]
        with admission.place():
            batch = admission.run_batch(
                programs, limits, stop_at_first_failure=body.stop_at_first_failure
            )
            outcomes = await _unless_hung_up(request.receive, batch)
        return await _json(lambda found: {"outcomes": [outcome_body(o) for o in found]}, outcomes)

    @app.post(
        "/run_code",
        summary="Run a program, in SandboxFusion's shape",
        openapi_extra=_body_schema(RunCodeBody),
    )
    async def run_code(request: Request) -> Response:
        try:
            body = await _read(request, RunCodeBody, admission)
            program, limits = body.program(), body.limits()
            with admission.place():
                outcome = await _unless_hung_up(request.receive, admission.run(program, limits))
        except SandboxError as error:
            refusal = refusal_of(error)
            fault = {**run_code_fault(refusal.message), **refusal.body}
            return _response(fault, refusal.status, refusal.headers)
        return await _json(lambda found: run_code_answer(program, found), outcome)


def _add_views(app: FastAPI, sandbox: Runner, admission: Admission, metrics: NodeMetrics) -> None:
    @app.get("/health", summary="The node's process runs")
    async def health() -> Response:
        return _response({"status": "ok"})

    @app.get("/ready", summary="Can run programs now")
    async def ready() -> Response:
        is_ready = not admission.is_failing or await _runs_again(admission)
        body = {
            "status": "ok" if is_ready else "unavailable",
            "isolation": sandbox.description,
            "workers": admission.num_workers,
        }
        headers = {} if is_ready else {"retry-after": str(int(RETRY_SECONDS))}
        return _response(body, 200 if is_ready else 503, headers)

    @app.get("/languages", summary="Languages, and which are installed here")
    async def languages() -> Response:
        return _response({"languages": await asyncio.to_thread(_languages)})

    @app.get("/metrics", summary="Prometheus series of the node")
    async def metrics_page() -> Response:
        return Response(metrics.page(), media_type=METRICS_TYPE)


async def _runs_again(admission: Admission) -> bool:
    """Whether a program that does nothing has an outcome. A busy node is not called broken."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await admission.run(program_of("python", ""), Limits())
    except (SandboxError, TimeoutError):
        return False
    return True


def _languages() -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    for chain in toolchains().values():
        try:
            located(chain)
        except ToolchainMissing:
            is_present = False
        else:
            is_present = True
        found.append({"name": chain.name, "title": chain.title, "is_present": is_present})
    return found


async def _read(request: Request, model: type[Body], admission: Admission) -> Body:
    """The request's body, checked. A full line refuses it before it is read.

    Raises InvalidProgram, SandboxBusy, Refusal.
    """
    admission.refuse_when_full()
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                parts.append(part)  # noqa: PERF401  # what came is kept when it is late
    except TimeoutError:
        message = f"The request body did not arrive within {BODY_SECONDS:g} s."
        raise Refusal(408, "body_too_slow", message) from None
    except ClientDisconnect:
        raise HungUp from None
    content = b"".join(parts)
    if len(content) > SLOW_PARSE_BYTES:
        return await asyncio.to_thread(parsed, model, content)
    return parsed(model, content)


async def _unless_hung_up(receive: Receive, work: Awaitable[Answer]) -> Answer:
    """The result of the work, which is cancelled when the client goes away. Raises HungUp."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_hang_up(receive))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise HungUp
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _json(make: Callable[[Answer], Mapping[str, Any]], value: Answer) -> Response:
    """An answer whose outputs may be large: it is made in a thread."""
    return Response(
        await asyncio.to_thread(lambda: orjson.dumps(make(value))), media_type="application/json"
    )


def _response(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _response(error.body, error.status, error.headers)


async def _sandbox_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SandboxError)
    refusal = refusal_of(error)
    if refusal.status == 503:
        log.error("a program has no verdict: %s", error)
    return _response(refusal.body, refusal.status, refusal.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    """Routes that are not there and methods that they do not have."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    message = f"{request.method} {request.url.path[:200]}: {error.detail}."
    return _response(
        Refusal(error.status_code, code, message).body, error.status_code, error.headers
    )


async def _our_fault(request: Request, error: Exception) -> Response:
    """What nobody foresaw: the log has the exception, the client may send the program elsewhere."""
    refusal = Refusal(503, "unavailable", "The node failed.", retry_after_seconds=RETRY_SECONDS)
    return _response(refusal.body, refusal.status, refusal.headers)


def _body_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The request body of a route that checks it itself, for the OpenAPI document."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": model.model_json_schema()}},
        }
    }
