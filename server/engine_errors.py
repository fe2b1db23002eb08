"""What an engine's refusals and ends become for the client: OpenAI's shape, OpenAI's codes."""

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from server.errors import ApiError, EngineBroken, EngineUnavailable

_CONTEXT = re.compile(r"maximum context length is (\d+) tokens", re.IGNORECASE)
_TOO_MANY_TOKENS = re.compile(r"max_tokens|max_completion_tokens|max_output_tokens")
_NO_TOKEN_ALLOWED = "Internal server error"
"""All that vLLM 0.32 says when a request's grammar left no token to choose: its finish reason
`error`, whose only other cause, moving KV caches between engines, is off here."""
_DEAD_END = (
    "No answer can be written under the schema, grammar or expression that the request asks for:"
    " it allows no token at some point, as one that only refers to itself does."
)
_CODES = {400: "invalid_value", 404: "not_found", 413: "request_too_large", 422: "invalid_value"}


def refusal(
    status: int, content: bytes, *, max_model_len: int, prompt_field: str = "prompt"
) -> ApiError:
    """The answer for an engine's status of 400 or more.

    prompt_field: the route's name for what a context can be too short for.

    A 4xx stays the client's fault, with the engine's words. Anything else is ours: 502.
    """
    message, param = _words(content)
    if message == _NO_TOKEN_ALLOWED:
        return ApiError(422, _DEAD_END, code="invalid_value")
    if not 400 <= status < 500:
        return ApiError(
            503 if status == 503 else 502,
            f"The engine failed: {message}",
            kind="server_error",
            code="engine_error",
            retry_after_seconds=1.0,
        )
    if _CONTEXT.search(message) or _is_about_context(message, max_model_len):
        at_fault = "max_tokens" if _TOO_MANY_TOKENS.search(message) else prompt_field
        return ApiError(400, message, code="context_length_exceeded", param=at_fault)
    # The engine answers 404 for what it cannot find in a request; for clients that is a bad value.
    code = _CODES.get(status, "invalid_value")
    return ApiError(status, message, code=code, param=param)


def refusal_in_stream(error: Any) -> Mapping[str, Any]:
    """The error object for an engine's error event, which comes after the status."""
    found = error if isinstance(error, dict) else {"message": str(error)}
    message, code = str(found.get("message") or "the engine failed"), found.get("code")
    is_dead_end = message == _NO_TOKEN_ALLOWED
    is_clients_fault = is_dead_end or (isinstance(code, int) and 400 <= code < 500)
    word = "invalid_value" if is_clients_fault else "engine_error"
    return {
        "message": _DEAD_END if is_dead_end else message,
        "type": "invalid_request_error" if is_clients_fault else "server_error",
        "param": found.get("param"),
        "code": code if isinstance(code, str) else word,
    }


def _is_about_context(message: str, max_model_len: int) -> bool:
    return f"max_model_len={max_model_len}" in message


def _words(content: bytes) -> tuple[str, str | None]:
    try:
        error = orjson.loads(content)["error"]
        return str(error["message"]), _field(error.get("param"))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return content[:500].decode(errors="replace") or "no reason given", None


def _field(param: str | None) -> str | None:
    """`messages[0]` for vLLM's `body.messages.0.UserMessage.content`: clients know no unions."""
    if param is None:
        return None
    name, *path = param.removeprefix("body.").split(".")
    return name + "".join(f"[{part}]" for part in path if part.isdecimal())


def unavailable(error: EngineUnavailable) -> ApiError:
    """503 with the time after which the engine should be back."""
    return ApiError(
        503,
        f"{error}; try again in {math.ceil(error.retry_after_seconds)} s.",
        kind="server_error",
        code="engine_unavailable",
        retry_after_seconds=error.retry_after_seconds,
    )


def broken(error: EngineBroken) -> ApiError:
    """502: the engine died under the request; nothing was kept, so it may be sent again."""
    return ApiError(
        502,
        f"{error}; it is being started again, send the request once more.",
        kind="server_error",
        code="engine_died",
        retry_after_seconds=1.0,
    )
