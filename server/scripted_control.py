"""The scripted engine's side of new weights, adapters and token sampling.

It verifies folders for real and holds every answer up while it "loads" one; the weights change
nothing but the version that tokens are stamped with.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Sequence
from typing import Any

from server.engine import FIRST_VERSION
from server.errors import UpdateFailed
from server.script import SWAP_FAULTS, Script
from server.weight_folder import VerifiedFolder

EXIT_CODE_OF_FAULT = 42
LOG_PROB = -0.5
"""Of every token; exact in binary, so that sums can be compared."""


class ScriptedSwap:
    """A `SwappableEngine` without an engine. version: of the tokens from now on."""

    def __init__(self, script: Script) -> None:
        self.version = FIRST_VERSION
        self._faults = [
            (fault, itertools.count(1)) for fault in script.faults if fault.kind in SWAP_FAULTS
        ]
        self._is_running = asyncio.Event()
        self._is_running.set()

    async def may_go_on(self) -> None:
        """Return when no swap is under way; asked before every token."""
        await self._is_running.wait()

    async def pause(self) -> None:
        self._is_running.clear()

    async def transfer(self, folder: VerifiedFolder) -> None:
        for fault, count in self._faults:
            if fault.when in str(folder.path) and next(count) % fault.every == 0:
                if fault.kind == "fail_transfer":
                    raise UpdateFailed("the script lets this transfer fail")
                await asyncio.sleep(fault.seconds)

    async def probe(self) -> None:
        pass

    async def set_version(self, version: str) -> None:
        self.version = version

    async def resume(self) -> None:
        self._is_running.set()

    def give_up(self) -> None:
        os._exit(EXIT_CODE_OF_FAULT)


class ScriptedAdapters:
    """Names of adapters; what is asked of one is answered as anything else."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    async def load(self, name: str, folder: VerifiedFolder) -> None:
        self._names.add(name)

    async def unload(self, name: str) -> None:
        self._names.remove(name)

    def find(self, name: str) -> str | None:
        """The name, if it is loaded."""
        return name if name in self._names else None


class ScriptedSampler:
    """Answers in token ids; the id of a word is its place in the script's text."""

    def __init__(
        self, script: Script, words: Sequence[str], swap: ScriptedSwap, adapters: ScriptedAdapters
    ) -> None:
        self._script = script
        self._words = words
        self._swap = swap
        self._adapters = adapters

    async def rollouts(self, body: dict[str, Any], request_id: str) -> dict[str, Any]:
        """As POST /v1/rollouts gives them."""
        num = len(body.get("seeds") or ()) or body.get("n") or 1
        answers = await asyncio.gather(*(self._draw(body) for _ in range(num)))
        num_tokens = sum(len(answer["token_ids"]) for answer in answers)
        usage = _usage(num * len(body["prompt_ids"]), num_tokens)
        return {"model": body["model"], "answers": answers, "usage": usage}

    async def log_probs(self, body: dict[str, Any], request_id: str) -> dict[str, Any]:
        """As POST /v1/log_probs gives them."""
        await self._swap.may_go_on()
        answers = [sequence["answer_ids"] for sequence in body["sequences"]]
        num_prompt = sum(len(sequence["prompt_ids"]) for sequence in body["sequences"])
        return {
            "model": body["model"],
            "log_probs": [[LOG_PROB] * len(answer) for answer in answers],
            "usage": _usage(num_prompt, sum(map(len, answers))),
        }

    async def _draw(self, body: dict[str, Any]) -> dict[str, Any]:
        adapter = self._adapters.find(body["model"])
        stops = body.get("stop") or ()
        most = min(self._script.num_tokens, body["max_tokens"])
        text, stop, stamps = "", None, list[str]()
        began = time.monotonic()
        for position in range(most):
            await self._wait(position, began)
            stamps.append(adapter.rpartition("@")[2] if adapter else self._swap.version)
            text += self._words[position % len(self._words)]
            stop = next((stop for stop in stops if stop in text), None)
            if stop is not None:
                text = text.partition(stop)[0]
                break
        is_cut = stop is None and most < self._script.num_tokens
        return {
            "token_ids": [position % len(self._words) for position in range(len(stamps))],
            "log_probs": [LOG_PROB] * len(stamps),
            "versions": _spans(stamps),
            "text": text,
            "finish_reason": "length" if is_cut else "stop",
            "stop_reason": stop,
        }

    async def _wait(self, position: int, began: float) -> None:
        pace = self._script.tokens_per_second
        due = began + self._script.first_token_seconds + (position / pace if pace else 0.0)
        if (seconds := due - time.monotonic()) > 0:
            await asyncio.sleep(seconds)
        await self._swap.may_go_on()


def _spans(stamps: Sequence[str]) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = []
    for version, places in itertools.groupby(range(len(stamps)), key=lambda place: stamps[place]):
        found = list(places)
        spans.append({"version": version, "start": found[0], "end": found[-1] + 1})
    return spans


def _usage(num_prompt: int, num_answer: int) -> dict[str, int]:
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": num_answer,
        "total_tokens": num_prompt + num_answer,
    }
