"""The gateway's ASGI application, built by a function from its parts; importing does nothing."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from server import admin, health, model_routes, openai_routes, promotion_routes
from server.auth import Authenticator
from server.catalog import Catalog
from server.errors import ApiError
from server.exchange import Desk
from server.generation import Generation
from server.promotion import Promotions
from server.settings import ServerSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

DESCRIPTION = "OpenAI-compatible API of codeloop, a code model server for your own machines."


def build_app(
    settings: ServerSettings,
    *,
    catalog: Catalog,
    authenticator: Authenticator,
    desk: Desk,
    promotions: Promotions,
    version: str,
) -> FastAPI:
    """The application. Engines are started by the caller; meter and pulse live with the app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk.meter.start()
        desk.pulse.start()
        try:
            yield
        finally:
            desk.pulse.stop()
            await desk.meter.stop()

    app = FastAPI(
        title="codeloop",
        description=DESCRIPTION,
        version=version,
        lifespan=lifespan,
        docs_url=None,  # the pages of FastAPI load their scripts from the internet
        redoc_url=None,
    )
    generation = Generation(
        settings=settings, authenticator=authenticator, catalog=catalog, desk=desk
    )
    app.include_router(openai_routes.router(generation))
    app.include_router(model_routes.router(settings, authenticator, catalog))
    app.include_router(admin.router(settings, authenticator, catalog))
    app.include_router(promotion_routes.router(settings, authenticator, catalog, promotions))
    app.include_router(health.router(settings, authenticator, catalog, desk.metrics))

    async def api_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        desk.metrics.refusals.labels(error.code or "other").inc()
        return error_response(error)

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _our_fault)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document; FastAPI knows of no security that a route checks by itself."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
        document["components"]["securitySchemes"] = schemes
        app.openapi_schema = document
    return app.openapi_schema


async def _http_error(request: Request, error: Exception) -> Response:
    """Routes that are not there and methods that they do not have."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    message = f"{request.method} {request.url.path[:200]}: {error.detail}."
    response = error_response(ApiError(error.status_code, message, code=code))
    response.headers.update(error.headers or {})
    return response


async def _our_fault(request: Request, error: Exception) -> Response:
    """What nobody foresaw; the server logs the exception, the client learns no detail."""
    return error_response(
        ApiError(500, "The server failed.", kind="server_error", code="internal_error")
    )


def error_response(error: ApiError) -> Response:
    """A plain answer in OpenAI's error shape."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_seconds + 0.5)))
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status in (408, 413):
        headers["connection"] = "close"  # the rest of the body is still on its way
    return Response(
        orjson.dumps(error.body()), error.status, headers, media_type="application/json"
    )
