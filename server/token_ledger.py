"""Tokens of requests in a vLLM engine, as its own counters have them, also after an abort."""

import re
from collections import OrderedDict
from typing import Any, NamedTuple

REMEMBERED_REQUESTS = 4096
"""Ended requests whose counts are kept for the gateway to fetch; it asks at once."""

UNIQUE_PART = re.compile(r"[0-9a-f]{32}")


class TokenLedger:
    """Token counts of ended requests, taken from the engine's own state at the moment of the end.

    vLLM forgets a request when it is aborted, and its answer then carries no usage. The state it
    drops holds the numbers that went into its counters, so usage stays equal to them. Requests
    that ended by themselves are kept too: the client may have left before it read the end.
    """

    def __init__(self, output_processor: Any) -> None:
        self._states = output_processor.request_states
        self._ended: OrderedDict[str, dict[str, _Count]] = OrderedDict()
        self._abort_requests = output_processor.abort_requests
        self._finish_request = output_processor._finish_request
        output_processor.abort_requests = self._record_then_abort
        output_processor._finish_request = self._record_then_finish

    def _record_then_finish(self, state: Any) -> None:
        self._record(state)
        self._finish_request(state)

    def _record_then_abort(self, request_ids: Any, internal: bool) -> Any:
        asked = set(request_ids)
        for state in list(self._states.values()):
            names = {state.request_id, state.external_req_id}
            if state.parent_req is not None:
                names.add(state.parent_req.request_id)
            if names & asked:
                self._record(state)
        return self._abort_requests(asked, internal)

    def _record(self, state: Any) -> None:
        counts = self._ended.setdefault(_unique_part(state.external_req_id), {})
        # By the engine's id of the one choice: aborting its parent comes by here twice.
        counts[state.request_id] = _Count(
            prompt_id=state.external_req_id,
            # The engine counts a prompt when its prefill ends.
            prompt=0 if state.is_prefilling else state.prompt_len,
            completion=state.stats.num_generation_tokens if state.stats else 0,
            cached=state.num_cached_tokens,
        )
        while len(self._ended) > REMEMBERED_REQUESTS:
            self._ended.popitem(last=False)

    def running_ids(self, request_id: str) -> set[str]:
        """The engine's external ids of live requests that belong to a gateway request."""
        unique = _unique_part(request_id)
        return {
            state.external_req_id
            for state in self._states.values()
            if unique in state.external_req_id
        }

    def count(self, request_id: str) -> dict[str, int] | None:
        """Counts over all prompts and choices of a gateway request; None when it is unknown."""
        choices = self._ended.get(_unique_part(request_id))
        if choices is None:
            return None
        # The choices of one prompt share it; it counts once, when the first of them has read it.
        prompts: dict[str, _Count] = {}
        for choice in choices.values():
            other = prompts.get(choice.prompt_id, choice)
            prompts[choice.prompt_id] = max(choice, other, key=lambda count: count.prompt)
        return {
            "prompt": sum(choice.prompt for choice in prompts.values()),
            "completion": sum(choice.completion for choice in choices.values()),
            "cached": sum(choice.cached for choice in prompts.values()),
        }


class _Count(NamedTuple):
    prompt_id: str
    prompt: int
    completion: int
    cached: int


def _unique_part(request_id: str) -> str:
    """The 32 hex digits that end every gateway id, wherever the engine has put the id."""
    found = UNIQUE_PART.findall(request_id)
    return found[-1] if found else request_id
