"""POST /v1/rollouts and /v1/log_probs: what a trainer draws, and what it asks about what was drawn."""

from typing import Any

from server.catalog import ServedModel
from server.engine_control import LOG_PROBS_PATH, ROLLOUTS_PATH
from server.errors import ApiError
from server.generation import Dialect
from server.protocol import LogProbsRequest, RolloutRequest
from server.streaming import Rewriter

MOST_LOG_PROBS = 4096
"""Answer tokens a request; each is a small request of the engine."""


def _prepare_rollouts(body: dict[str, Any], wire: RolloutRequest, model: ServedModel) -> None:
    _need_sampler(model)
    _need_whole(body)
    body["temperature"] = wire.temperature
    if wire.seeds is not None and wire.n not in (1, len(wire.seeds)):
        raise ApiError(
            400,
            f"n is {wire.n}, but there are {len(wire.seeds)} seeds: there is one an answer; drop n.",
            code="invalid_value",
            param="n",
        )


def _prepare_log_probs(body: dict[str, Any], wire: LogProbsRequest, model: ServedModel) -> None:
    _need_sampler(model)
    _need_whole(body)
    num_tokens = sum(len(sequence.answer_ids) for sequence in wire.sequences)
    if num_tokens > MOST_LOG_PROBS:
        raise ApiError(
            400,
            f"sequences have {num_tokens} answer tokens: at most {MOST_LOG_PROBS} in one request;"
            " send several.",
            code="invalid_value",
            param="sequences",
        )
    longest = max(len(s.prompt_ids) + len(s.answer_ids) for s in wire.sequences)
    if longest > model.max_model_len:
        raise ApiError(
            400,
            f"sequences have one of {longest} tokens: this model's maximum context length is"
            f" {model.max_model_len}; shorten it.",
            code="context_length_exceeded",
            param="sequences",
        )


def _need_sampler(model: ServedModel) -> None:
    if model.role != "sampler" and not model.most_adapters:
        raise ApiError(
            400,
            f"The model {model.name!r} serves users, and its log-probs are not the policy's: name a"
            ' model with role = "sampler", or an adapter.',
            code="invalid_value",
            param="model",
        )


def _need_whole(body: dict[str, Any]) -> None:
    if body.get("stream"):
        raise ApiError(
            400,
            "stream is not supported here: answers come whole; drop it.",
            code="unsupported_parameter",
            param="stream",
        )


def _num_answers(wire: RolloutRequest) -> int:
    return len(wire.seeds) if wire.seeds is not None else wire.n


def _num_sequences(wire: LogProbsRequest) -> int:
    return len(wire.sequences)


def _no_stream(wire: object) -> Rewriter:
    raise AssertionError("these routes are never streamed")


ROLLOUTS = Dialect(
    route=ROLLOUTS_PATH,
    prompt_field="prompt_ids",
    wire=RolloutRequest,
    prepare=_prepare_rollouts,
    sequences=_num_answers,
    rewriter=_no_stream,
)
LOG_PROBS = Dialect(
    route=LOG_PROBS_PATH,
    prompt_field="sequences",
    wire=LogProbsRequest,
    prepare=_prepare_log_probs,
    sequences=_num_sequences,
    rewriter=_no_stream,
)
