"""The generation routes: from a request to an `Exchange`, in one order for all of them.

Who is calling → which lane → the body, whole and checked → which model → the route's own
preparation → the exchange. Whatever is refused is refused before a slot is taken.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from server.auth import Authenticator
from server.body import check, read_json
from server.catalog import Catalog, Choice, ServedModel
from server.errors import ApiError
from server.exchange import Desk, Exchange, Order
from server.settings import LANES, ServerSettings
from server.streaming import Rewriter

REQUEST_ID_HEADER = "x-request-id"
LONGEST_REQUEST_ID = 64

IDE_STREAM_INTERVAL_TOKENS = 8
"""Tokens a chunk in the ide lane; the first leaves alone. Editors count chunks, not tokens, when
they decide to cut a stream off, and every chunk costs the gateway the same."""

Wire = TypeVar("Wire", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Dialect(Generic[Wire]):
    """What is particular to one route.

    prepare: changes the body for the model's family, raises ApiError. sequences: choices that the
    engine will decode. rewriter: for a streamed answer. takes_stream_options: whether the route
    has OpenAI's switch for usage at the end of a stream. names_request_in_body: the engine takes
    the id from there, not from the header.
    """

    route: str
    prompt_field: str
    wire: type[Wire]
    prepare: Callable[[dict[str, Any], Wire, ServedModel], None]
    sequences: Callable[[Wire], int]
    rewriter: Callable[[Wire], Rewriter]
    takes_stream_options: bool = True
    names_request_in_body: bool = False


class Generation:
    """Makes exchanges."""

    def __init__(
        self,
        *,
        settings: ServerSettings,
        authenticator: Authenticator,
        catalog: Catalog,
        desk: Desk,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._catalog = catalog
        self._desk = desk

    async def exchange(self, request: Request, dialect: Dialect[Wire]) -> Exchange:
        """The answer to a request in that dialect. Raises ApiError."""
        arrived_seconds = time.monotonic()
        caller = await self._authenticator.caller(request.headers)
        body = await read_json(
            request,
            most_bytes=self._settings.body_bytes,
            seconds=self._settings.header_seconds,
        )
        wire = check(body, dialect.wire)
        name = request_id(request)
        asked = body.get("model")

        def choose() -> Choice:
            return self._catalog.choose(
                asked, lane=caller.lane, request_id=name, key_prefix=caller.key.prefix
            )

        model = choose().model
        model.need_lane(caller.lane)
        sequences = dialect.sequences(wire)
        if sequences > self._settings.max_choices:
            raise ApiError(
                400,
                f"n times the prompts is {sequences} answers: at most"
                f" {self._settings.max_choices} in one request; send several.",
                code="invalid_value",
                param="n",
            )
        dialect.prepare(body, wire, model)
        body["priority"] = LANES.index(caller.lane)
        if body.get("stream") and dialect.takes_stream_options:
            # Always asked for, so that every stream is accounted; taken out again on the way back.
            body["stream_options"] = (body.get("stream_options") or {}) | {"include_usage": True}
            if caller.lane == "ide":
                body.setdefault("stream_interval", IDE_STREAM_INTERVAL_TOKENS)
        if dialect.names_request_in_body:
            body["request_id"] = f"resp_{name}"
        return Exchange(
            Order(
                request_id=name,
                route=dialect.route,
                caller=caller,
                model=model,
                choose=choose,
                door=self._catalog.door(model.parent or model.name),
                lane=getattr(self._settings.lanes, caller.lane),
                body=body,
                sequences=sequences,
                prompt_field=dialect.prompt_field,
                rewriter=(lambda: dialect.rewriter(wire)) if body.get("stream") else None,
                arrived_seconds=arrived_seconds,
            ),
            self._desk,
        )


def request_id(request: Request) -> str:
    """A unique id; the client's own x-request-id leads it, so that both logs can be joined."""
    unique = uuid.uuid4().hex
    asked = "".join(
        letter
        for letter in request.headers.get(REQUEST_ID_HEADER, "")[: LONGEST_REQUEST_ID - 33]
        if letter.isascii() and (letter.isalnum() or letter in "-_.")
    )
    return f"{asked}-{unique}" if asked else unique
