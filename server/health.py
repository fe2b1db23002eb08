"""Probes for whoever watches the gateway, and the metrics page."""

import asyncio
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from server.auth import Authenticator, require_scope
from server.catalog import Catalog, ServedModel
from server.engine import EngineRequest, EngineState
from server.errors import EngineError
from server.metrics import Metrics
from server.settings import LANES, ServerSettings

ENGINE_METRICS_SECONDS = 2.0
"""An engine that is busy longer than this is left out of a scrape, not waited for."""

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def router(
    settings: ServerSettings, authenticator: Authenticator, catalog: Catalog, metrics: Metrics
) -> APIRouter:
    """/health/live, /health/ready, /health/startup, /health and /metrics."""
    routes = APIRouter()

    def report() -> tuple[bool, dict[str, object]]:
        engines = {model.name: model.engine.health() for model in catalog.models}
        # Ready means that the default model can be answered now.
        is_ready = engines[catalog.models[0].name].state is EngineState.READY
        return is_ready, {
            name: {"state": h.state.value, "restarts": h.restarts, "detail": h.detail}
            for name, h in engines.items()
        }

    def answer(is_well: bool, engines: dict[str, object]) -> Response:
        body = {"status": "ok" if is_well else "unavailable", "engines": engines}
        headers = None if is_well else {"retry-after": "1"}
        return JSONResponse(body, 200 if is_well else 503, headers)

    unavailable: dict[int | str, dict[str, Any]] = {503: {"description": "Not now"}}

    @routes.get("/health/live", summary="The gateway's process runs")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/health/ready", summary="Can answer now", responses=unavailable)
    @routes.get("/health", summary="Can answer now", responses=unavailable)
    async def ready() -> Response:
        return answer(*report())

    @routes.get("/health/startup", summary="Could answer once", responses=unavailable)
    async def startup() -> Response:
        has_started = all(model.engine.health().has_started for model in catalog.models)
        return answer(has_started, report()[1])

    @routes.get(
        "/metrics",
        summary="Prometheus series of the gateway and its engines",
        response_class=PlainTextResponse,
        responses={401: {"description": "A key is needed"}, 403: {"description": "Lacks admin"}},
    )
    async def metrics_page(request: Request) -> Response:
        if settings.metrics_need_key:
            require_scope(await authenticator.key(request.headers), "admin")
        _sample(metrics, catalog.models)
        pages = await asyncio.gather(*(_engine_series(model) for model in catalog.models))
        return Response(metrics.page() + _joined(pages), media_type=METRICS_TYPE)

    return routes


def _sample(metrics: Metrics, models: Iterable[ServedModel]) -> None:
    for model in models:
        metrics.engine_ready.labels(model.name).set(
            model.engine.health().state is EngineState.READY
        )
        for lane in LANES:
            metrics.in_flight.labels(model.name, lane).set(model.admission.running(lane))
            metrics.waiting.labels(model.name, lane).set(model.admission.waiting(lane))


async def _engine_series(model: ServedModel) -> bytes:
    try:
        async with asyncio.timeout(ENGINE_METRICS_SECONDS):
            answer = await model.engine.forward(EngineRequest(method="GET", path="/metrics"))
            try:
                return await answer.read()
            finally:
                answer.close()
    except (EngineError, TimeoutError):
        return b""


def _joined(pages: Iterable[bytes]) -> bytes:
    """The engines' `vllm:*` lines untouched; comments once, though several engines send them.

    What else an engine host exports (its process, its HTTP server) would collide with ours.
    """
    seen: set[bytes] = set()
    lines: list[bytes] = []
    for page in pages:
        for line in page.splitlines():
            is_comment = line.startswith(b"# ")
            name = line.split(b" ", 3)[2] if is_comment else line
            if name.startswith(b"vllm:") and line not in seen:
                lines.append(line)
                if is_comment:
                    seen.add(line)
    return b"\n".join(lines) + b"\n" if lines else b""
