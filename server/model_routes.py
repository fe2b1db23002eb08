"""What is served, and its tokenizer: /v1/models, /tokenize, /detokenize."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from server.auth import Authenticator
from server.body import check, read_json
from server.catalog import Catalog
from server.engine import EngineRequest
from server.engine_errors import broken, refusal, unavailable
from server.errors import EngineBroken, EngineUnavailable
from server.generation import request_id
from server.openai_routes import ERRORS, SECURITY, body_schema
from server.protocol import DetokenizeRequest, ModelCard, ModelList, TokenizeRequest
from server.settings import ServerSettings


def router(settings: ServerSettings, authenticator: Authenticator, catalog: Catalog) -> APIRouter:
    """Routes that any valid key may call."""
    routes = APIRouter()
    secured: dict[str, Any] = {"security": SECURITY}

    @routes.get(
        "/v1/models", summary="List the served models", responses=_only(401), openapi_extra=secured
    )
    async def list_models(request: Request) -> ModelList:
        await authenticator.key(request.headers)
        return ModelList(data=[catalog.card(model) for model in catalog.models])

    @routes.get(
        # Names may hold slashes, as hub ids do.
        "/v1/models/{model_name:path}",
        summary="One served model",
        responses=_only(401, 404),
        openapi_extra=secured,
    )
    async def get_model(request: Request, model_name: Annotated[str, Path()]) -> ModelCard:
        await authenticator.key(request.headers)
        return catalog.card(catalog.resolve(model_name))

    async def relay(request: Request, wire: type[BaseModel], path: str) -> Response:
        await authenticator.key(request.headers)
        body = await read_json(
            request, most_bytes=settings.body_bytes, seconds=settings.header_seconds
        )
        check(body, wire)
        model = catalog.resolve(body.get("model"))
        body["model"] = model.name
        try:
            answer = await model.engine.forward(
                EngineRequest(path=path, body=orjson.dumps(body), request_id=request_id(request))
            )
            try:
                content = await answer.read()
            finally:
                answer.close()
        except EngineUnavailable as error:
            raise unavailable(error) from error
        except EngineBroken as error:
            raise broken(error) from error
        if answer.status >= 400:
            raise refusal(answer.status, content, max_model_len=model.max_model_len)
        return Response(content, media_type="application/json")

    async def tokenize(request: Request) -> Response:
        return await relay(request, TokenizeRequest, "/tokenize")

    async def detokenize(request: Request) -> Response:
        return await relay(request, DetokenizeRequest, "/detokenize")

    for endpoint, wire, summary in (
        (tokenize, TokenizeRequest, "Token ids of a prompt or a conversation"),
        (detokenize, DetokenizeRequest, "Text of token ids"),
    ):
        routes.add_api_route(
            f"/{endpoint.__name__}",
            endpoint,
            methods=["POST"],
            summary=summary,
            response_model=None,
            responses={200: {"description": "As the engine answers"}, **ERRORS},
            openapi_extra={"requestBody": body_schema(wire), "security": SECURITY},
        )
    return routes


def _only(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: ERRORS[status] for status in statuses}
