"""POST /v1/completions: raw prompts, and prompts with a hole where the family can fill one."""

from typing import Any

from server.catalog import ServedModel
from server.errors import ApiError
from server.generation import Dialect
from server.prompt_logprobs import limit_prompt_logprobs
from server.protocol import CompletionRequest
from server.streaming import ChunkRewriter, Rewriter

ROUTE = "/v1/completions"


def _prepare(body: dict[str, Any], wire: CompletionRequest, model: ServedModel) -> None:
    if wire.stream and wire.echo and wire.logprobs is not None and (wire.n or 1) > 1:
        raise ApiError(
            400,
            f"echo with logprobs is not supported in a stream of n = {wire.n} answers: the engine"
            " has the prompt's log probabilities for the first only; ask without stream, or for"
            " one answer.",
            code="unsupported_parameter",
            param="echo",
        )
    echoed = wire.logprobs if wire.echo else None
    limit_prompt_logprobs(wire.prompt, echoed, n=wire.n or 1, param="logprobs")
    limit_prompt_logprobs(wire.prompt, wire.prompt_logprobs, n=wire.n or 1, param="prompt_logprobs")
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
