"""The wire types: what a client may send, checked once at the edge.

Every model accepts unknown fields and hands them on, as OpenAI clients expect; a field that
would be without effect, or that only the gateway may set, is refused by name (`REFUSED`).
Imports neither torch nor vllm nor the web framework: the trainer reads these types too.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from server.errors import ApiError

MOST_STOP_STRINGS = 1024
MOST_LOGPROBS = 20
INT64 = 2**63

_GUIDED = "it was removed from the engine; use response_format, or structured_outputs"
_PER_LANE = "the lane sets it; name one with the header x-codeloop-lane"
_INTERNAL = "it moves data between engines and is not for clients; drop it"
_NO_IMAGES = "the served models read text only; drop it"

REFUSED: dict[str, str] = {
    "guided_json": _GUIDED,
    "guided_regex": _GUIDED,
    "guided_choice": _GUIDED,
    "guided_grammar": _GUIDED,
    "guided_decoding_backend": _GUIDED,
    "guided_whitespace_pattern": _GUIDED,
    "structural_tag": _GUIDED,
    "best_of": "it was removed from the engine; ask for n answers and choose",
    "use_beam_search": "the engine would decode outside its scheduler; use n with a temperature",
    "length_penalty": "it belongs to beam search, which is not offered; drop it",
    "early_stopping": "it belongs to beam search, which is not offered; drop it",
    "functions": "it was replaced by tools; send tools",
    "function_call": "it was replaced by tool_choice; send tool_choice",
    "prompt_embeds": "embeddings as prompts can end the engine; send text or token ids",
    "priority": _PER_LANE,
    "request_id": "the gateway names requests; send the header x-request-id",
    "cache_salt": "the gateway keeps prefix caches apart; drop it",
    "kv_transfer_params": _INTERNAL,
    "ec_transfer_params": _INTERNAL,
    "vllm_xargs": _INTERNAL,
    "mm_payload": _NO_IMAGES,
    "mm_processor_kwargs": _NO_IMAGES,
    "media_io_kwargs": _NO_IMAGES,
    "return_mm_kwargs": _NO_IMAGES,
    "audio": _NO_IMAGES,
    "modalities": _NO_IMAGES,
    "prediction": "predicted outputs are not supported; drop it",
    "web_search_options": "the server has no web; drop it",
    "chat_template": "a template from outside is a program in the server; the model's own is used",
    "documents": "the served models' templates read no documents; put them into a message",
    "logits_processors": "it was removed from the engine; use logit_bias or structured_outputs",
    "truncate_prompt_tokens": "a prompt is never cut silently; shorten it before sending",
    "watermarking": "the engine runs without a watermark; drop it",
    "background": "answers are not kept; send the request without it, and stream",
    "previous_response_id": "responses are not stored here; send the whole input",
    "conversation": "conversations are not stored here; send the whole input",
    "max_tool_calls": "the server calls no tools itself; drop it",
    "enable_response_messages": "it belongs to another model family; drop it",
    "previous_input_messages": "it belongs to another model family; drop it",
}
"""Field → why it is refused and what to do instead."""

HARMLESS: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "use_beam_search": (False,),
    "length_penalty": (1.0,),
    "early_stopping": (False,),
    "modalities": (["text"],),
    "background": (False,),
    "priority": (0,),
}
"""Values that ask for what happens anyway; clients send them as defaults, so they pass."""


def refuse_by_name(body: dict[str, Any]) -> None:
    """Raise ApiError 400 for the first field that would be dropped or is not for clients."""
    for name in body.keys() & REFUSED.keys():
        value = body[name]
        if value is None or value in HARMLESS.get(name, ()):
            continue
        raise ApiError(
            400,
            f"{name} is not supported: {REFUSED[name]}.",
            code="unsupported_parameter",
            param=name,
        )


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


Number = Annotated[float, Field(strict=False)]
TokenId = Annotated[StrictInt, Field(ge=0, lt=INT64)]
StopString = Annotated[StrictStr, Field(min_length=1)]
Stop = StopString | Annotated[list[StopString], Field(max_length=MOST_STOP_STRINGS)]


class StreamOptions(_Body):
    """What a stream carries besides the answer."""

    include_usage: StrictBool | None = None
    """End the stream with a chunk that holds the token counts."""
    continuous_usage_stats: StrictBool | None = None
    """Token counts in every chunk."""


class Sampling(_Body):
    """The fields that chat and plain completions share."""

    model: Annotated[StrictStr, Field(min_length=1)] | None = None
    """Name or alias of a served model; unset means the default model."""
    n: Annotated[StrictInt, Field(ge=1)] | None = None
    """Answers to draw for the prompt."""
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    top_k: Annotated[StrictInt, Field(ge=-1, lt=2**31)] | None = None
    min_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[Number, Field(gt=0, le=10)] | None = None
    max_tokens: Annotated[StrictInt, Field(ge=0, lt=2**31)] | None = None
    """Most tokens to generate for each answer."""
    min_tokens: Annotated[StrictInt, Field(ge=0, lt=2**31)] | None = None
    stop: Stop | None = None
    """Up to 1024 strings that end the answer; none of them is part of it."""
    stop_token_ids: Annotated[list[TokenId], Field(max_length=MOST_STOP_STRINGS)] | None = None
    seed: Annotated[StrictInt, Field(ge=-INT64, lt=INT64)] | None = None
    logit_bias: dict[str, Annotated[Number, Field(ge=-100, le=100)]] | None = None
    """Token id (as a string) → bias in [-100, 100]."""
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    prompt_logprobs: Annotated[StrictInt, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    response_format: dict[str, Any] | None = None
    """OpenAI's `json_schema` and `json_object`."""
    structured_outputs: dict[str, Any] | None = None
    """vLLM's `json`, `regex`, `choice` and `grammar`."""
    user: StrictStr | None = None


class ChatRequest(Sampling):
    """POST /v1/chat/completions."""

    messages: Annotated[list[dict[str, Any]], Field(min_length=1)]
    max_completion_tokens: Annotated[StrictInt, Field(ge=1, lt=2**31)] | None = None
    logprobs: StrictBool | None = None
    top_logprobs: Annotated[StrictInt, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    tools: Annotated[list[dict[str, Any]], Field(max_length=128)] | None = None
    tool_choice: StrictStr | dict[str, Any] | None = None
    chat_template_kwargs: dict[str, Any] | None = None


class CompletionRequest(Sampling):
    """POST /v1/completions."""

    prompt: (
        StrictStr
        | Annotated[list[StrictStr], Field(min_length=1, max_length=512)]
        | Annotated[list[TokenId], Field(min_length=1)]
        | Annotated[
            list[Annotated[list[TokenId], Field(min_length=1)]], Field(min_length=1, max_length=512)
        ]
    )
    """Text, token ids, or a list of either."""
    suffix: StrictStr | None = None
    """Text after the hole, for models that fill in the middle."""
    echo: StrictBool | None = None
    logprobs: Annotated[StrictInt, Field(ge=0, le=MOST_LOGPROBS)] | None = None


class ResponsesRequest(_Body):
    """POST /v1/responses, without stored state."""

    model: Annotated[StrictStr, Field(min_length=1)] | None = None
    input: StrictStr | Annotated[list[dict[str, Any]], Field(min_length=1)]
    instructions: StrictStr | None = None
    max_output_tokens: Annotated[StrictInt, Field(ge=1, lt=2**31)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    seed: Annotated[StrictInt, Field(ge=-INT64, lt=INT64)] | None = None
    tools: Annotated[list[dict[str, Any]], Field(max_length=128)] | None = None
    stream: StrictBool | None = None
    structured_outputs: dict[str, Any] | None = None
    store: StrictBool | None = None
    """Accepted for clients that always send it; responses are never stored."""


class TokenizeRequest(_Body):
    """POST /tokenize: a prompt, or messages through the chat template."""

    model: Annotated[StrictStr, Field(min_length=1)] | None = None
    prompt: StrictStr | None = None
    messages: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None
    add_special_tokens: StrictBool | None = None


class DetokenizeRequest(_Body):
    """POST /detokenize."""

    model: Annotated[StrictStr, Field(min_length=1)] | None = None
    tokens: list[TokenId]


class RolloutRequest(_Body):
    """POST /v1/rollouts: answers to one prompt, in token ids."""

    model: Annotated[StrictStr, Field(min_length=1)]
    """A sampler, or an adapter as MODEL@VERSION."""
    prompt_ids: Annotated[list[TokenId], Field(min_length=1)]
    n: Annotated[StrictInt, Field(ge=1)] = 1
    """Answers to draw, where no seeds are given."""
    seeds: (
        Annotated[list[Annotated[StrictInt, Field(ge=-INT64, lt=INT64)]], Field(min_length=1)]
        | None
    ) = None
    """One an answer."""
    temperature: Annotated[Number, Field(ge=0, le=2)] = 1.0
    max_tokens: Annotated[StrictInt, Field(ge=1, lt=2**31)]
    """Most tokens of each answer."""
    stop: Annotated[list[StopString], Field(max_length=MOST_STOP_STRINGS)] | None = None
    """Strings that end an answer; its tokens have them, its text has not."""
    ignore_eos: StrictBool = False


class GivenAnswer(_Body):
    """A prompt and an answer to it."""

    prompt_ids: Annotated[list[TokenId], Field(min_length=1)]
    answer_ids: Annotated[list[TokenId], Field(min_length=1)]


class LogProbsRequest(_Body):
    """POST /v1/log_probs: log-probs of answers that are there already."""

    model: Annotated[StrictStr, Field(min_length=1)]
    sequences: Annotated[list[GivenAnswer], Field(min_length=1)]
    temperature: Annotated[Number, Field(gt=0, le=2)] = 1.0


class ErrorDetail(BaseModel):
    """OpenAI's error object."""

    message: str
    type: str
    param: str | None
    code: str | int | None


class ErrorBody(BaseModel):
    """The body of every answer with a status of 400 and more."""

    error: ErrorDetail


class Provenance(BaseModel):
    """Where a version comes from, of the catalog of versions."""

    state: str
    parent: str | None
    run: str | None
    step: int | None
    scores: dict[str, dict[str, float | int | None]]
    """Suite → value, low, high and num_problems, as the gate measured them."""
    promoted_by: str | None
    promoted_at: str | None
    """UTC; of the last time that it went live."""
    previous: str | None
    """What a roll-back restores."""


class ModelCard(BaseModel):
    """One entry of /v1/models."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "codeloop"
    root: str
    parent: str | None = None
    max_model_len: int
    aliases: list[str] = []
    family: str
    capabilities: list[str] = []
    role: Literal["serving", "sampler"] = "serving"
    version: str = "0"
    """Of the weights; `0` are those that the engine was started on."""
    weights_digest: str | None = None
    """Of everything that decides what the model answers; None for a folder without a manifest."""
    provenance: Provenance | None = None
    """Of the version; None for one that was never published."""


class ModelList(BaseModel):
    """GET /v1/models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
