"""POST /v1/chat/completions: what chat adds to a generation."""

from typing import Any

from server.catalog import ServedModel
from server.errors import ApiError
from server.generation import Dialect
from server.protocol import ChatRequest
from server.streaming import ChunkRewriter, Rewriter

ROUTE = "/v1/chat/completions"


def _prepare(body: dict[str, Any], wire: ChatRequest, model: ServedModel) -> None:
    if not model.has_chat_template:
        raise ApiError(
            400,
            f"The model {model.name!r} has no chat template: use /v1/completions, or serve its"
            " instruct variant.",
            code="no_chat_template",
            param="messages",
        )
    refuse_tools_without_parser(body, model)
    if model.family.system_prompt == "none":
        body["messages"] = fold_system_prompt(body["messages"])


def refuse_tools_without_parser(body: dict[str, Any], model: ServedModel) -> None:
    """Raise ApiError 400 for tools that the model may call or not, when it was never taught how.

    A forced call works with any model: the engine constrains the answer to the tool's schema.
    """
    is_left_to_model = body.get("tool_choice") in (None, "auto")
    if body.get("tools") and is_left_to_model and not model.family.tool_parser:
        raise ApiError(
            400,
            f"tools with tool_choice 'auto' is not supported by {model.name!r}: its family"
            f" {model.family.name!r} was not trained to decide on calls; set tool_choice to"
            " 'required' or to one function, or use response_format.",
            code="unsupported_parameter",
            param="tools",
        )


def fold_system_prompt(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Move leading system text into the first user message.

    For models trained without a system prompt (DeepSeek-R1 and what was distilled from it): their
    makers ask that all instructions stand in the user's turn.
    """
    system = [m for m in messages if m.get("role") in ("system", "developer")]
    others = [m for m in messages if m.get("role") not in ("system", "developer")]
    texts = [_text(message.get("content")) for message in system]
    if not system or not others or others[0].get("role") != "user" or None in texts:
        return messages
    content = others[0].get("content")
    lead = "\n\n".join(text for text in texts if text)
    if isinstance(content, str):
        folded: Any = f"{lead}\n\n{content}"
    elif isinstance(content, list):
        folded = [{"type": "text", "text": lead}, *content]
    else:
        return messages
    return [{**others[0], "content": folded}, *others[1:]]


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    ):
        return "\n".join(part["text"] for part in content)
    return None


def _rewriter(wire: ChatRequest) -> Rewriter:
    options = wire.stream_options
    return ChunkRewriter(
        wants_usage=bool(options and options.include_usage), choices=_sequences(wire)
    )


def _sequences(wire: ChatRequest) -> int:
    return wire.n or 1


CHAT = Dialect(
    route=ROUTE,
    prompt_field="messages",
    wire=ChatRequest,
    prepare=_prepare,
    sequences=_sequences,
    rewriter=_rewriter,
)
