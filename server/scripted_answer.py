"""An answer of the scripted engine, in the words of the route that it was asked on."""

import sys
import time
from typing import Any

import orjson


class Answer:
    """One request being answered: what is asked, what has gone out, and the words of its route.

    model: the served model's name.
    """

    def __init__(
        self, request_id: str, body: dict[str, Any], route: str, prompt_tokens: int, model: str
    ) -> None:
        self.id = request_id
        self.model = model
        self.is_chat = route.endswith("chat/completions")
        self.is_responses = route.endswith("responses")
        self.is_stream = bool(body.get("stream"))
        base, at, version = str(body.get("model")).rpartition("@")
        self.adapter = version if at and base else ""
        self.choices = body.get("n") or 1
        self.prompt_tokens = prompt_tokens
        self.sent = 0
        self.is_aborted = False
        self.most_tokens = next(
            (
                body[name]
                for name in ("max_completion_tokens", "max_tokens", "max_output_tokens")
                if body.get(name) is not None
            ),
            sys.maxsize if self.is_chat or self.is_responses else 16,
        )

    def usage(self) -> dict[str, Any]:
        """In the words of the route."""
        names = (
            ("input_tokens", "output_tokens")
            if self.is_responses
            else (
                "prompt_tokens",
                "completion_tokens",
            )
        )
        return {
            names[0]: self.prompt_tokens,
            names[1]: self.sent,
            "total_tokens": self.prompt_tokens + self.sent,
        }

    def token_events(self, text: str, position: int) -> bytes:
        """Of a stream: one token of every choice."""
        if self.is_responses:
            created = b"" if position else _typed("response.created", response=self._response())
            return created + _typed(
                "response.output_text.delta",
                delta=text,
                item_id="msg_0",
                output_index=0,
                content_index=0,
                logprobs=[],
            )
        return b"".join(
            self._chunk(index, text, None, is_first=not position) for index in range(self.choices)
        )

    def end_events(self, finish: str) -> bytes:
        """Of a stream: what comes after the last token."""
        if self.is_responses:
            return _typed("response.completed", response=self._response(finish=finish))
        ends = [self._chunk(index, "", finish) for index in range(self.choices)]
        usage = {**self._head("chunk"), "choices": [], "usage": self.usage()}
        return b"".join(ends) + event(usage) + b"data: [DONE]\n\n"

    def _chunk(self, index: int, text: str, finish: str | None, *, is_first: bool = False) -> bytes:
        if self.is_chat:
            delta = {"role": "assistant", "content": text} if is_first else {"content": text}
            choice: dict[str, Any] = {"index": index, "delta": delta}
        else:
            choice = {"index": index, "text": text}
        choice |= {"logprobs": None, "finish_reason": finish}
        return event({**self._head("chunk"), "choices": [choice]})

    def whole(self, text: str, finish: str) -> dict[str, Any]:
        """The body of an answer that is no stream."""
        if self.is_responses:
            return self._response(text, finish)
        content = (
            {"message": {"role": "assistant", "content": text}} if self.is_chat else {"text": text}
        )
        choices = [
            {"index": index, **content, "logprobs": None, "finish_reason": finish}
            for index in range(self.choices)
        ]
        return {**self._head(), "choices": choices, "usage": self.usage()}

    def _head(self, part: str = "") -> dict[str, Any]:
        kind = (
            "chat.completion" + (f".{part}" if part else "") if self.is_chat else "text_completion"
        )
        prefix = "chatcmpl" if self.is_chat else "cmpl"
        return {
            "id": f"{prefix}-{self.id}",
            "object": kind,
            "created": int(time.time()),
            "model": self.model,
        }

    def _response(self, text: str = "", finish: str = "") -> dict[str, Any]:
        part = {"type": "output_text", "text": text, "annotations": []}
        message = {
            "type": "message",
            "id": "msg_0",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        return {
            "id": f"resp_{self.id}",
            "object": "response",
            "created_at": int(time.time()),
            "model": self.model,
            "status": "completed" if finish else "in_progress",
            "output": [message] if finish else [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": self.usage() if finish else None,
        }


def event(body: object) -> bytes:
    """One event of a stream."""
    return b"data: " + orjson.dumps(body) + b"\n\n"


def _typed(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\n".encode() + event({"type": kind, "sequence_number": 0, **fields})
