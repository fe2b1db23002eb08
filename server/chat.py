"""POST /v1/chat/completions: what chat adds to a generation."""

from typing import Any

from server.catalog import ServedModel
from server.errors import ApiError
from server.generation import Dialect
from server.prompt_logprobs import limit_prompt_logprobs
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
    limit_prompt_logprobs(
        wire.messages, wire.prompt_logprobs, n=wire.n or 1, param="prompt_logprobs"
    )
    prepare_tools(body, model)
    if model.family.system_prompt == "none":
        body["messages"] = fold_system_prompt(body["messages"])


def prepare_tools(body: dict[str, Any], model: ServedModel) -> None:
    """Make calls of tools work with a model that was never taught to make them, where they can.

    A forced call can: held to the tool's schema (`strict`), any model makes one. Whether to call
    cannot be left to such a model. Raises ApiError 400 then.
    """
    if not body.get("tools") or model.family.tool_parser or body.get("tool_choice") == "none":
        return
    if body.get("tool_choice") in (None, "auto"):
        raise ApiError(
            400,
            f"tools with tool_choice 'auto' is not supported by {model.name!r}: its family"
            f" {model.family.name!r} was not trained to decide on calls; set tool_choice to"
            " 'required' or to one function, or use response_format.",
            code="unsupported_parameter",
            param="tools",
        )
    for tool in body["tools"]:
        # Chat nests the function, responses do not.
        function = tool.get("function", tool)
        if isinstance(function, dict):
            function["strict"] = True


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
