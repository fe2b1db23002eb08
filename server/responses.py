"""POST /v1/responses: OpenAI's newer route, without stored state."""

from typing import Any

from server.catalog import ServedModel
from server.chat import prepare_tools
from server.errors import ApiError
from server.generation import Dialect
from server.protocol import ResponsesRequest
from server.streaming import ResponsesRewriter, Rewriter

ROUTE = "/v1/responses"


def _prepare(body: dict[str, Any], wire: ResponsesRequest, model: ServedModel) -> None:
    if not model.has_chat_template:
        raise ApiError(
            400,
            f"The model {model.name!r} has no chat template: use /v1/completions, or serve its"
            " instruct variant.",
            code="no_chat_template",
            param="input",
        )
    prepare_tools(body, model)
    body["store"] = False


def _rewriter(wire: ResponsesRequest) -> Rewriter:
    return ResponsesRewriter()


def _sequences(wire: ResponsesRequest) -> int:
    return 1


RESPONSES = Dialect(
    route=ROUTE,
    prompt_field="input",
    wire=ResponsesRequest,
    prepare=_prepare,
    sequences=_sequences,
    rewriter=_rewriter,
    takes_stream_options=False,
    names_request_in_body=True,
)
