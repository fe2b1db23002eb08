"""What an engine's refusal becomes for the client: OpenAI's shape, OpenAI's codes."""

import re

import orjson

from server.errors import ApiError

_CONTEXT = re.compile(r"maximum context length is (\d+) tokens", re.IGNORECASE)
_TOO_MANY_TOKENS = re.compile(r"max_tokens|max_completion_tokens|max_output_tokens")
_CODES = {400: "invalid_value", 404: "not_found", 413: "request_too_large", 422: "invalid_value"}


def refusal(
    status: int, content: bytes, *, max_model_len: int, prompt_field: str = "prompt"
) -> ApiError:
    """The answer for an engine's status of 400 or more.

    prompt_field: the route's name for what a context can be too short for.

    A 4xx stays the client's fault, with the engine's words. Anything else is ours: 502.
    """
    message, param = _words(content)
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


def _is_about_context(message: str, max_model_len: int) -> bool:
    return f"max_model_len={max_model_len}" in message


def _words(content: bytes) -> tuple[str, str | None]:
    try:
        error = orjson.loads(content)["error"]
        return str(error["message"]), error.get("param")
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return content[:500].decode(errors="replace") or "no reason given", None
