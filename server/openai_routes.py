"""The routes that generate, as FastAPI sees them, and what their document says of them."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from server.chat import CHAT
from server.completions import COMPLETIONS
from server.generation import Dialect, Generation
from server.protocol import ErrorBody
from server.responses import RESPONSES
from server.rollouts import LOG_PROBS, ROLLOUTS

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The request is at fault; `param` names the field"},
    401: {"model": ErrorBody, "description": "No valid API key"},
    403: {"model": ErrorBody, "description": "The key lacks a scope or a lane"},
    404: {"model": ErrorBody, "description": "No such model"},
    408: {"model": ErrorBody, "description": "The body did not arrive in time"},
    413: {"model": ErrorBody, "description": "The body is too large"},
    422: {"model": ErrorBody, "description": "The engine cannot process the value"},
    429: {"model": ErrorBody, "description": "The lane is full; see Retry-After"},
    502: {"model": ErrorBody, "description": "The engine died under the request"},
    503: {"model": ErrorBody, "description": "The engine is starting; see Retry-After"},
    504: {"model": ErrorBody, "description": "The lane's deadline passed"},
}


def router(generation: Generation) -> APIRouter:
    """Chat, completions, responses; rollouts and log-probs."""
    routes = APIRouter()
    _add(routes, generation, CHAT, "Answer a conversation")
    _add(routes, generation, COMPLETIONS, "Continue a prompt, or fill the hole before a suffix")
    _add(routes, generation, RESPONSES, "Answer in the shape of OpenAI's Responses API")
    _add(routes, generation, ROLLOUTS, "Draw answers in token ids, for a trainer")
    _add(routes, generation, LOG_PROBS, "Log-probs of given answers, for a trainer")
    return routes


def _add(routes: APIRouter, generation: Generation, dialect: Dialect[Any], summary: str) -> None:
    async def generate(request: Request) -> Response:
        return await generation.exchange(request, dialect)

    routes.add_api_route(
        dialect.route,
        generate,
        methods=["POST"],
        summary=summary,
        name=dialect.wire.__name__,
        response_model=None,
        responses={200: {"description": "The answer, or a stream of events"}, **ERRORS},
        openapi_extra={"requestBody": body_schema(dialect.wire), "security": SECURITY},
    )


SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]


def body_schema(wire: type[BaseModel]) -> dict[str, Any]:
    """The request body of a route that checks it itself, for the OpenAPI document."""
    schema = wire.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    return {
        "required": True,
        "content": {"application/json": {"schema": _inlined(schema, definitions)}},
    }


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if reference := schema.get("$ref"):
            return _inlined(definitions[reference.rpartition("/")[2]], definitions)
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(value, definitions) for value in schema]
    return schema
