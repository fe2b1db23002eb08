"""Reads what an OpenAI-compatible endpoint answers: one JSON body, or a stream of events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from evaluator.errors import RequestRefused
from evaluator.retry import AskAgain

_SHOWN = 300


@dataclass(kw_only=True)
class Answer:
    """One answer, as far as it has come. has_ended: the endpoint said that this was all."""

    texts: list[str] = field(default_factory=list)
    reasonings: list[str] = field(default_factory=list)
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    num_events: int = 0
    model_version: str = ""
    has_ended: bool = False

    def take(self, body: Mapping[str, Any]) -> bool:
        """Add a body, or a chunk of one. Returns whether it brought text. Raises AskAgain."""
        if error := body.get("error"):
            _raise_error(error)
        usage = body.get("usage") or {}
        self.prompt_tokens = usage.get("prompt_tokens") or self.prompt_tokens
        self.completion_tokens = usage.get("completion_tokens") or self.completion_tokens
        self.model_version = str(body.get("system_fingerprint") or self.model_version)
        brought = False
        for choice in body.get("choices") or ():
            part = choice.get("message") or choice.get("delta") or choice
            text = part.get("content") if part is not choice else choice.get("text")
            reasoning = part.get("reasoning_content") or part.get("reasoning")
            for value, store in ((text, self.texts), (reasoning, self.reasonings)):
                if isinstance(value, str) and value:
                    store.append(value)
                    brought = True
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
        self.num_events += brought
        return brought


def whole_answer(content: bytes) -> Answer:
    """The answer of one JSON body. Raises AskAgain for half a body, and for one without choices."""
    answer = Answer(has_ended=True)
    body = _parsed(content)
    if not body.get("choices") and not body.get("error"):
        raise AskAgain(f"an answer without choices: {_cut(content)}")
    _taken(answer, body, content)
    return answer


class EventLines:
    """Cuts a stream of bytes into the data of its events."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The data of each line that the chunk completes; comments and other fields are left out."""
        self._rest += chunk
        while (end := self._rest.find(b"\n", self._searched)) >= 0:
            line = bytes(self._rest[:end]).strip()
            del self._rest[: end + 1]
            self._searched = 0
            if line.startswith(b"data:"):
                yield line[5:].strip()
        self._searched = len(self._rest)


def take_event(answer: Answer, data: bytes) -> bool:
    """Add one event's data. Returns whether it brought text. Raises AskAgain, RequestRefused."""
    if data == b"[DONE]":
        answer.has_ended = True
        return False
    return _taken(answer, _parsed(data), data)


def _taken(answer: Answer, body: Mapping[str, Any], content: bytes) -> bool:
    try:
        return answer.take(body)
    except (AttributeError, TypeError) as error:
        raise AskAgain(f"an answer of another shape ({error}): {_cut(content)}") from error


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise AskAgain(f"an answer that is no JSON ({error}): {_cut(content)}") from error
    if not isinstance(body, dict):
        raise AskAgain(f"an answer that is no JSON object: {_cut(content)}")
    return body


def _raise_error(error: Any) -> None:
    found = error if isinstance(error, dict) else {"message": str(error)}
    said = str(found.get("message") or found)[:_SHOWN]
    if found.get("type") in ("invalid_request_error", "BadRequestError"):
        raise RequestRefused(f"the endpoint refused in mid-answer: {said}")
    raise AskAgain(f"an error in mid-answer: {said}")


def error_text(content: bytes) -> str:
    """What an endpoint said with a status of 400 or more, in one line."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return _cut(content) or "nothing"
    found = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(found, dict):
        found = found.get("message") or found.get("detail") or found
    return " ".join(str(found).split())[:_SHOWN]


def _cut(content: bytes) -> str:
    return " ".join(content[:_SHOWN].decode("utf-8", "replace").split())
