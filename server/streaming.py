"""The bytes of a stream, on their way from the engine to the client.

An answer leaves as the engine wrote it unless something in it concerns us: the usage that a
client did not ask for is taken out, `reasoning` is given its second name, and the end is made
right. Looking for byte patterns costs far less than parsing every event; inside a JSON string
the quotes of these patterns are escaped, so an answer that talks about them is never mistaken.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from server.engine import TokenCount
from server.engine_errors import refusal_in_stream

KEEP_ALIVE = b": keep-alive\n\n"
END_OF_EVENT = b"\n\n"
_DONE_DATA = b"data: [DONE]"
DONE = _DONE_DATA + END_OF_EVENT

_USAGE = b'"usage":{'
_FINISH = b'"finish_reason":"'
_REASONING = b'"reasoning":'
_ERROR = b'"error":'
_MARKS = (_USAGE, _FINISH, _REASONING, _ERROR, _DONE_DATA)


class Rewriter(Protocol):
    """Turns the engine's events into the client's, and knows how the stream stands.

    tokens: what the engine counted, once it said so. num_events: events that came so far; with
    one token an event, close to the tokens. error: why the stream failed, if it did.
    fingerprint: says at the end what the answer was drawn from; set before the first `feed`.
    """

    tokens: TokenCount | None
    num_events: int
    error: Mapping[str, Any] | None
    fingerprint: Callable[[], str]

    def feed(self, chunk: bytes) -> bytes:
        """The bytes to send for the bytes that came; an unfinished event is kept back."""

    def close(self) -> bytes:
        """The bytes that end a stream to which the engine has no more to say."""

    def fail(self, error: Mapping[str, Any]) -> bytes:
        """The bytes that end a stream with an error event."""


class _EventBuffer:
    """Cuts a byte stream at the ends of events."""

    def __init__(self) -> None:
        self._kept = b""

    def complete(self, chunk: bytes) -> bytes:
        """All whole events that have come and were not yet returned."""
        data = self._kept + chunk if self._kept else chunk
        if data.endswith(END_OF_EVENT):
            self._kept = b""
            return data
        end = data.rfind(END_OF_EVENT)
        end = 0 if end < 0 else end + len(END_OF_EVENT)
        self._kept = data[end:]
        return data[:end]


class ChunkRewriter:
    """For chat and plain completions; whole once each of `choices` had its finish reason."""

    def __init__(self, *, wants_usage: bool, choices: int = 1) -> None:
        self.tokens: TokenCount | None = None
        self.error: Mapping[str, Any] | None = None
        self.num_events = 0
        self._wants_usage = wants_usage
        self._unfinished_choices = choices
        self.fingerprint: Callable[[], str] = str
        self._buffer = _EventBuffer()

    def feed(self, chunk: bytes) -> bytes:
        data = self._buffer.complete(chunk)
        self.num_events += data.count(END_OF_EVENT)
        if not any(mark in data for mark in _MARKS):
            return b"" if self.error else data
        return b"".join(map(self._event, data.split(END_OF_EVENT)[:-1]))

    def _event(self, event: bytes) -> bytes:
        if self.error or event == _DONE_DATA:
            return b""  # `close` says [DONE], once it has seen that the stream is whole
        if not any(mark in event for mark in _MARKS):
            return event + END_OF_EVENT
        try:
            body = orjson.loads(event.removeprefix(b"data: "))
        except orjson.JSONDecodeError:
            return self.fail(MALFORMED)
        if "choices" not in body:
            return self.fail(refusal_in_stream(body.get("error", body)))
        choices = body["choices"]
        self._unfinished_choices -= sum(1 for choice in choices if choice.get("finish_reason"))
        if isinstance(body.get("usage"), dict):
            self.tokens = token_count(body["usage"])
            if not self._wants_usage:
                if not choices:
                    return b""
                del body["usage"]
        for choice in choices:
            name_reasoning_twice(choice.get("delta"))
        if origin := self.fingerprint():
            body["system_fingerprint"] = origin
        return encode_event(body)

    def close(self) -> bytes:
        if self.error:
            return b""
        return self.fail(CUT_SHORT) if self._unfinished_choices > 0 else DONE

    def fail(self, error: Mapping[str, Any]) -> bytes:
        if self.error:
            return b""
        self.error = error
        return encode_event({"error": error}) + DONE


class ResponsesRewriter:
    """For /v1/responses, whose events carry a type and end with a `response.*` of their own."""

    _ENDS = (
        b'"type":"response.completed"',
        b'"type":"response.incomplete"',
        b'"type":"response.failed"',
    )

    def __init__(self) -> None:
        self.tokens: TokenCount | None = None
        self.error: Mapping[str, Any] | None = None
        self._is_ended = False
        self.num_events = 0
        self.fingerprint: Callable[[], str] = str
        self._buffer = _EventBuffer()

    def feed(self, chunk: bytes) -> bytes:
        if self.error:
            return b""
        data = self._buffer.complete(chunk)
        self.num_events += data.count(END_OF_EVENT)
        for event in data.split(END_OF_EVENT):
            if any(end in event for end in self._ENDS):
                self._is_ended = True
                body = orjson.loads(event[event.index(b"{") :])
                self.tokens = token_count(body["response"].get("usage") or {})
            elif event.startswith(b'data: {"error"'):
                error = orjson.loads(event.removeprefix(b"data: "))["error"]
                return self.fail(refusal_in_stream(error))
        return data.replace(DONE, b"")

    def close(self) -> bytes:
        if self.error:
            return b""
        return DONE if self._is_ended else self.fail(CUT_SHORT)

    def fail(self, error: Mapping[str, Any]) -> bytes:
        if self.error:
            return b""
        self.error = error
        body = {
            "type": "error",
            "code": error.get("code"),
            "message": error.get("message"),
            "param": error.get("param"),
            "sequence_number": self.num_events,
        }
        return b"event: error\n" + encode_event(body) + DONE


def name_reasoning_twice(message: Any) -> None:
    """Give `reasoning` the name `reasoning_content` too: half of the clients read either one."""
    if isinstance(message, dict) and "reasoning" in message:
        message["reasoning_content"] = message["reasoning"]


def token_count(usage: Mapping[str, Any]) -> TokenCount:
    """Counts from the `usage` of any of OpenAI's routes."""
    prompt = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    answer = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    return TokenCount(
        prompt=usage.get("prompt_tokens") or usage.get("input_tokens") or 0,
        completion=usage.get("completion_tokens") or usage.get("output_tokens") or 0,
        cached=prompt.get("cached_tokens") or 0,
        reasoning=answer.get("reasoning_tokens") or 0,
    )


def encode_event(body: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(body) + END_OF_EVENT


def server_error(message: str, code: str) -> Mapping[str, Any]:
    """OpenAI's error object for a failure that is ours."""
    return {"message": message, "type": "server_error", "param": None, "code": code}


MALFORMED = server_error(
    "the engine sent a chunk that is not JSON; the answer is incomplete, send the request again.",
    "engine_error",
)
CUT_SHORT = server_error(
    "the engine ended the stream before the answer was whole; send the request again.",
    "engine_error",
)
