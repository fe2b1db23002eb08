"""One generation, from an authenticated body to the last byte: admit, forward, relay, account.

An `Exchange` is the ASGI response of the generation routes. It owns the request's slot in the
lane and its place in the engine, and gives both back however the request ends: whole, refused,
timed out, the client gone, the engine dead. Every end is written into one usage row.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.answer_tail import AnswerTail
from server.auth import Caller
from server.catalog import Choice, ServedModel
from server.engine import EngineRequest, EngineResponse, TokenCount
from server.engine_errors import broken, refusal, unavailable
from server.errors import ApiError, EngineBroken, EngineUnavailable
from server.metering import Meter, Outcome
from server.metrics import Metrics
from server.pulse import Pulse
from server.settings import LaneSettings
from server.settlement import Settlement, settle
from server.streaming import Rewriter, name_reasoning_twice, token_count

log = logging.getLogger(__name__)

STREAM_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # nginx would otherwise hold a stream back until its buffer is full.
    (b"x-accel-buffering", b"no"),
)
JSON = b"application/json"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be generated, for whom, and how the answer is to be relayed.

    model: that the request was checked for. choose: what answers it, asked at the last moment, so
    that nothing is sent to an engine on its way out. door: set when it may go there. body: what the
    engine gets. sequences: slots it takes. rewriter: makes the stream's rewriter; None for a plain
    answer.
    """

    request_id: str
    route: str
    caller: Caller
    model: ServedModel
    choose: Callable[[], Choice]
    door: asyncio.Event
    lane: LaneSettings
    body: dict[str, Any]
    sequences: int
    prompt_field: str
    rewriter: Callable[[], Rewriter] | None
    arrived_seconds: float


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an exchange ended, for a swap's report. versions: all that it may have been drawn from."""

    request_id: str
    lane: str
    outcome: str
    status: int
    versions: str
    num_tokens: int
    is_streamed: bool


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What every exchange of one gateway shares."""

    meter: Meter
    metrics: Metrics
    pulse: Pulse
    live: set["Exchange"] = field(default_factory=set)

    def end_all(self, error: ApiError) -> None:
        """End every exchange under way: streams with an error event, plain calls with a status."""
        for exchange in self.live:
            exchange.interrupt(error)


class Exchange(Response):
    """A response that generates; FastAPI sends it as it is."""

    def __init__(self, order: Order, desk: Desk) -> None:
        self.background = None
        self.ended = asyncio.Event()
        self._order = order
        self._model = order.model
        self._choice = Choice(model=order.model)
        self._tail: AnswerTail | None = None
        self._desk = desk
        self._status = 0
        self._outcome = Outcome.FAILED
        self._tokens: TokenCount | None = None
        self._queue_seconds = 0.0
        self._first_at_seconds: float | None = None
        self._last_at_seconds = 0.0
        self._version_mark = 0
        self._is_admitted = False
        self._reached_engine = False
        self._rewriter: Rewriter | None = None
        self._interruption: ApiError | None = None
        self._task: asyncio.Task[None]
        self._send: Send

    def interrupt(self, error: ApiError) -> None:
        """End now, with that error."""
        self._interruption = error
        self._task.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        work = self._task = asyncio.create_task(self._work())
        self._desk.live.add(self)
        watch = asyncio.create_task(_until_hang_up(receive))
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self._outcome = Outcome.ABORTED
        finally:
            watch.cancel()
            work.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)
            self._desk.live.discard(self)
            settle(self._settlement(), self._desk.meter, self._desk.metrics)
            self.ended.set()
        if not work.cancelled():
            work.result()

    @property
    def model(self) -> ServedModel:
        """What answers it, once it reached an engine."""
        return self._model

    @property
    def is_in_engine(self) -> bool:
        """Whether an engine has it, or had it."""
        return self._reached_engine

    def ending(self) -> Ending:
        """How it ended; for one that has `ended`."""
        return Ending(
            request_id=self._order.request_id,
            lane=self._order.caller.lane,
            outcome=self._outcome.value,
            status=self._status or 499,
            versions=self._fingerprint().rpartition("@")[2],
            num_tokens=self._tokens.completion if self._tokens else 0,
            is_streamed=self._order.rewriter is not None,
        )

    def _settlement(self) -> Settlement:
        order = self._order
        return Settlement(
            request_id=order.request_id,
            route=order.route,
            caller=order.caller,
            arrived_seconds=order.arrived_seconds,
            model=self._model,
            choice=self._choice,
            tail=self._tail,
            status=self._status,
            outcome=self._outcome,
            tokens=self._tokens,
            is_admitted=self._is_admitted,
            queue_seconds=self._queue_seconds,
            first_at_seconds=self._first_at_seconds,
            last_at_seconds=self._last_at_seconds,
        )

    async def _work(self) -> None:
        try:
            await self._admitted()
        except ApiError as error:
            await self._refuse(error)
        except EngineUnavailable as error:
            await self._refuse(unavailable(error))
        except EngineBroken as error:
            await self._refuse(broken(error))
        except asyncio.CancelledError:
            if self._interruption is None:
                raise
            await self._refuse(self._interruption)

    async def _admitted(self) -> None:
        order = self._order
        # Looked at before the queue too: waiting for an engine that is away helps nobody.
        health = order.choose().model.engine.health()
        if health.retry_after_seconds:
            raise EngineUnavailable(
                f"The model {order.model.name!r} is {health.state.value}: {health.detail}",
                retry_after_seconds=health.retry_after_seconds,
            )
        async with order.model.admission.slot(order.caller.lane, order.sequences) as waited:
            self._is_admitted = True
            self._queue_seconds = waited
            try:
                async with asyncio.timeout(order.lane.request_seconds):
                    await self._forward()
            except TimeoutError:
                self._outcome = Outcome.TIMED_OUT
                await self._stop_engine()
                await self._refuse(self._too_late())
            except BaseException:
                await asyncio.shield(self._stop_engine())
                raise

    async def _forward(self) -> None:
        order = self._order
        while not order.door.is_set():
            await order.door.wait()
        # From here to the engine nothing is awaited: what is chosen is what answers.
        choice = order.choose()
        self._choice, self._model = choice, choice.model
        self._tail = AnswerTail() if choice.watch else None
        body = order.body | {"model": self._model.name}
        request = EngineRequest(
            path=order.route, body=orjson.dumps(body), request_id=order.request_id
        )
        self._reached_engine = True
        self._version_mark = self._model.versions.mark()
        answer = await self._model.engine.forward(request)
        try:
            if answer.status >= 400:
                content = await answer.read()
                self._outcome = Outcome.REFUSED
                raise refusal(
                    answer.status,
                    content,
                    max_model_len=self._model.max_model_len,
                    prompt_field=order.prompt_field,
                )
            if order.rewriter is None:
                await self._plain(answer)
            else:
                await self._stream(answer, order.rewriter())
        finally:
            answer.close()

    async def _plain(self, answer: EngineResponse) -> None:
        body = orjson.loads(await answer.read())
        self._tokens = token_count(body.get("usage") or {})
        for choice in body.get("choices", ()):
            name_reasoning_twice(choice.get("message"))
        body["system_fingerprint"] = self._fingerprint()
        self._outcome = Outcome.COMPLETED
        self._last_at_seconds = time.monotonic()
        content = orjson.dumps(body)
        if self._tail:
            self._tail.add(content)
        await self._whole(200, content)

    async def _stream(self, answer: EngineResponse, rewriter: Rewriter) -> None:
        await self._start(200, list(STREAM_HEADERS))
        self._rewriter = rewriter
        rewriter.fingerprint = self._fingerprint
        try:
            with self._desk.pulse.watching(self._keep_alive) as beat:
                async for chunk in answer.chunks():
                    if data := rewriter.feed(chunk):
                        self._last_at_seconds = beat.touch()
                        if self._first_at_seconds is None:
                            self._first_at_seconds = self._last_at_seconds
                        if self._tail:
                            self._tail.add(data)
                        await self._body(data)
                end = rewriter.close()
        except EngineBroken as error:
            log.warning("stream broken", extra={"request_id": self._order.request_id})
            end = rewriter.fail(broken(error).body()["error"])
        # An engine that died took its counters along; the events that came are what is left to count.
        self._tokens = rewriter.tokens or TokenCount(completion=rewriter.num_events)
        self._outcome = Outcome.FAILED if rewriter.error else Outcome.COMPLETED
        await self._body(end, more=False)

    def _fingerprint(self) -> str:
        return self._model.fingerprint(self._version_mark)

    async def _refuse(self, error: ApiError) -> None:
        """Answer with an error: a status while there is still a choice, an event after that."""
        if self._rewriter is not None:
            await self._body(self._rewriter.fail(error.body()["error"]), more=False)
        elif not self._status:
            if not self._reached_engine:
                self._outcome = Outcome.REFUSED
                self._desk.metrics.refusals.labels(error.code or "other").inc()
            await self._whole(
                error.status,
                orjson.dumps(error.body()),
                retry_after_seconds=error.retry_after_seconds,
            )

    async def _stop_engine(self) -> None:
        """Free the slot in the engine and learn what the request had used until now."""
        if not self._reached_engine or self._outcome is Outcome.REFUSED:
            return
        order = self._order
        with contextlib.suppress(EngineUnavailable):
            self._tokens = await self._model.engine.abort(order.request_id) or self._tokens

    def _too_late(self) -> ApiError:
        lane, seconds = self._order.caller.lane, self._order.lane.request_seconds
        return ApiError(
            504,
            f"The request took longer than the {seconds:g} s that the {lane} lane allows;"
            " ask for fewer tokens or use another lane.",
            kind="server_error",
            code="deadline_exceeded",
        )

    async def _whole(
        self, status: int, content: bytes, *, retry_after_seconds: float | None = None
    ) -> None:
        headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(content))]
        if retry_after_seconds is not None:
            headers.append((b"retry-after", b"%d" % math.ceil(retry_after_seconds)))
        await self._start(status, headers)
        await self._body(content, more=False)

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._status = status
        headers += [
            (b"x-request-id", self._order.request_id.encode()),
            (b"x-codeloop-lane", self._order.caller.lane.encode()),
        ]
        if status == 200:
            headers.append((b"x-codeloop-version", self._fingerprint().encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _body(self, content: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": content, "more_body": more})

    async def _keep_alive(self, comment: bytes) -> None:
        await self._body(comment)


async def _until_hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
