"""A request's body: read within a size and a time, decoded, checked against its wire type."""

import asyncio
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from server.errors import ApiError
from server.protocol import refuse_by_name

Model = TypeVar("Model", bound=BaseModel)

MOST_REPORTED = 3
"""Faults of one body that the message names; the rest would only bury them."""

DEEPEST = 254
"""Levels of arrays and objects that orjson writes; it reads 1024."""


async def read_json(request: Request, *, most_bytes: int, seconds: float) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError 400, 408 or 413.

    A declared length over the limit is refused before anything is read.
    """
    too_large = ApiError(
        413,
        f"The request body is larger than {most_bytes} bytes; send less, or let the operator raise"
        " server.body_bytes.",
        code="request_too_large",
    )
    if int(request.headers.get("content-length") or 0) > most_bytes:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most_bytes:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise ApiError(
            408,
            f"The request body did not arrive within {seconds:g} s.",
            code="request_timeout",
        ) from None
    except ClientDisconnect:
        raise ApiError(
            400, "The client hung up before its body was whole.", code="hung_up"
        ) from None
    return _decode(b"".join(parts))


def _decode(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ApiError(
            400, f"The request body is not valid JSON: {error}.", code="invalid_json"
        ) from None
    if content.count(b"[") + content.count(b"{") > DEEPEST:
        _refuse_depth(body)
    if not isinstance(body, dict):
        raise ApiError(
            400,
            f"The request body is a JSON {type(body).__name__}: it must be an object.",
            code="invalid_json",
        )
    return body


def _refuse_depth(body: object) -> None:
    """Refuse what could be read, but not be written again for the engine."""
    try:
        orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise ApiError(
            400,
            f"The request body is nested deeper than {DEEPEST} levels; flatten it.",
            code="invalid_json",
        ) from None


def check(body: dict[str, Any], model: type[Model]) -> Model:
    """The body as its wire type. Raises ApiError 400 naming field, value and rule."""
    refuse_by_name(body)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        first = faults[0]
        raise ApiError(
            400,
            "; ".join(_sentence(fault) for fault in faults[:MOST_REPORTED]) + ".",
            code="missing_parameter" if first["type"] == "missing" else "invalid_value",
            param=_field(first["loc"]),
        ) from None


def _sentence(fault: Any) -> str:
    if fault["type"] == "missing":
        return f"{_field(fault['loc'])} is missing"
    value = repr(fault["input"])
    shown = value if len(value) <= 80 else value[:77] + "..."
    return f"{_field(fault['loc'])} is {shown}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"


def _field(location: tuple[int | str, ...]) -> str:
    # A union adds the name of its branch to the path; clients know fields and positions only.
    return str(location[0]) + "".join(f"[{part}]" for part in location[1:] if isinstance(part, int))
