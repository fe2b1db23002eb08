"""POST /v1/completions: raw prompts, and prompts with a hole where the family can fill one."""

from typing import Any

from server.catalog import ServedModel
from server.errors import ApiError
from server.generation import Dialect
from server.protocol import CompletionRequest
from server.streaming import ChunkRewriter, Rewriter

ROUTE = "/v1/completions"


def _prepare(body: dict[str, Any], wire: CompletionRequest, model: ServedModel) -> None:
    if body.get("suffix") is not None:
        _render_hole(body, wire, model)
    body.pop("suffix", None)


def _render_hole(body: dict[str, Any], wire: CompletionRequest, model: ServedModel) -> None:
    """Put prefix and suffix into the family's own markup; the engine has none for most models."""
    fim = model.family.fim
    if fim is None:
        raise ApiError(
            400,
            f"suffix is not supported by {model.name!r}: its family {model.family.name!r} was not"
            " trained to fill in the middle; use a model with the capability infill.",
            code="unsupported_parameter",
            param="suffix",
        )
    if not isinstance(wire.prompt, str):
        raise ApiError(
            400,
            "suffix needs prompt to be one string: the text before the hole.",
            code="invalid_value",
            param="prompt",
        )
    body["prompt"] = fim.render(wire.prompt, body["suffix"])
    asked = wire.stop if isinstance(wire.stop, list) else [wire.stop] if wire.stop else []
    body["stop"] = list(dict.fromkeys((*asked, *fim.stop)))


def _num_prompts(wire: CompletionRequest) -> int:
    prompt = wire.prompt
    is_batch = isinstance(prompt, list) and not isinstance(prompt[0], int)
    return len(prompt) if is_batch else 1


def _sequences(wire: CompletionRequest) -> int:
    return (wire.n or 1) * _num_prompts(wire)


def _rewriter(wire: CompletionRequest) -> Rewriter:
    options = wire.stream_options
    return ChunkRewriter(
        wants_usage=bool(options and options.include_usage), choices=_sequences(wire)
    )


COMPLETIONS = Dialect(
    route=ROUTE,
    prompt_field="prompt",
    wire=CompletionRequest,
    prepare=_prepare,
    sequences=_sequences,
    rewriter=_rewriter,
)
