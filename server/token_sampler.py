"""Token ids in, token ids with log-probs and versions out, on vLLM's AsyncLLM.

Faster than the OpenAI routes: nothing is sent before an answer is whole, and no text is parsed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Params = Callable[..., Any]


class TokenSampler:
    """make_params: vLLM's SamplingParams for an answer that comes whole. find_adapter: by its name."""

    def __init__(
        self, engine: Any, make_params: Params, find_adapter: Callable[[str], Any]
    ) -> None:
        self._engine = engine
        self._make_params = make_params
        self._find_adapter = find_adapter

    async def rollouts(self, body: dict[str, Any], request_id: str) -> dict[str, Any]:
        """The answers to one prompt, as POST /v1/rollouts gives them. Raises ValueError."""
        seeds = body.get("seeds") or [None] * (body.get("n") or 1)
        adapter = self._find_adapter(body["model"])
        drawn = await _together(
            self._generate(
                body["prompt_ids"],
                self._make_params(
                    temperature=body.get("temperature", 1.0),
                    max_tokens=body["max_tokens"],
                    stop=body.get("stop"),
                    ignore_eos=bool(body.get("ignore_eos")),
                    seed=seed,
                    logprobs=0,
                    flat_logprobs=True,
                ),
                f"{request_id}-{number}",
                adapter,
                body.get("priority", 0),
            )
            for number, seed in enumerate(seeds)
        )
        answers = [
            _answer(output, adapter and body["model"].rpartition("@")[2]) for output in drawn
        ]
        num_drawn = sum(len(answer["token_ids"]) for answer in answers)
        return {
            "model": body["model"],
            "answers": answers,
            "usage": _usage(drawn, num_drawn),
        }

    async def log_probs(self, body: dict[str, Any], request_id: str) -> dict[str, Any]:
        """Log-probs of given tokens, as POST /v1/log_probs gives them. Raises ValueError.

        Each is asked for as that of the next token after all before it: the way of a token that is
        drawn, temperature included, and the shared beginnings come from the prefix cache. (vLLM's
        own log-probs of a prompt are without the temperature, and end an engine with adapters.)
        """
        adapter = self._find_adapter(body["model"])
        temperature = body.get("temperature", 1.0)
        calls = []
        for number, sequence in enumerate(body["sequences"]):
            prompt, answer = sequence["prompt_ids"], sequence["answer_ids"]
            for position, token in enumerate(answer):
                params = self._make_params(
                    temperature=temperature,
                    max_tokens=1,
                    detokenize=False,
                    logprob_token_ids=[token],
                    flat_logprobs=True,
                )
                calls.append(
                    self._generate(
                        prompt + answer[:position],
                        params,
                        f"{request_id}-{number}-{position}",
                        adapter,
                        body.get("priority", 0),
                    )
                )
        outputs = await _together(calls)
        found = iter(outputs)
        return {
            "model": body["model"],
            "log_probs": [
                [_second_log_prob(next(found)) for _ in sequence["answer_ids"]]
                for sequence in body["sequences"]
            ],
            "usage": _usage(outputs, len(outputs)),
        }

    async def _generate(
        self, prompt_ids: list[int], params: Any, request_id: str, adapter: Any, priority: int
    ) -> Any:
        last = None
        async for output in self._engine.generate(
            {"prompt_token_ids": prompt_ids},
            params,
            request_id,
            lora_request=adapter,
            priority=priority,
        ):
            last = output
        assert last is not None
        return last


async def _together(calls: Any) -> list[Any]:
    """All of them, or none: one that fails takes the others out of the engine."""
    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(call)) for call in calls]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


def _answer(output: Any, adapter_version: str | None) -> dict[str, Any]:
    choice = output.outputs[0]
    flat = choice.logprobs
    if adapter_version:
        versions = [{"version": adapter_version, "start": 0, "end": len(choice.token_ids)}]
    else:
        versions = [
            {"version": span.version, "start": span.start, "end": span.end}
            for span in choice.weight_versions or ()
        ]
    return {
        "token_ids": list(choice.token_ids),
        "log_probs": [flat.logprobs[start] for start in flat.start_indices],
        "versions": versions,
        "text": choice.text,
        "finish_reason": choice.finish_reason,
        "stop_reason": choice.stop_reason if isinstance(choice.stop_reason, str) else None,
    }


def _second_log_prob(output: Any) -> float:
    """The first of a position is the drawn token's, the second that of the token asked for."""
    flat = output.outputs[0].logprobs
    return float(flat.logprobs[flat.start_indices[0] + 1])


def _usage(outputs: list[Any], num_drawn: int) -> dict[str, Any]:
    num_prompt = sum(len(output.prompt_token_ids) for output in outputs)
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": num_drawn,
        "total_tokens": num_prompt + num_drawn,
        "prompt_tokens_details": {
            "cached_tokens": sum(output.num_cached_tokens or 0 for output in outputs)
        },
    }
