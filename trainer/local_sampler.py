"""Answers by transformers in this process: where there is no engine, and where a run must repeat bit for bit.

The model computes in float32 from the published weights, so it draws from what a learner in float32 has,
up to the rounding of the published type.
"""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainer.errors import SamplerFailed, UpdateFailed
from trainer.local_rows import FinishedAnswer, LocalRows
from trainer.own_thread import OwnThread
from trainer.rollout import Answer, Drawing, Group, GroupRequest

_TOKENIZER_FILE = "tokenizer.json"


class LocalSampler:
    """A `Sampler`: an answer depends on its prompt and its seed alone, whatever is drawn beside it.

    folder: the model in Hugging Face layout. num_rows: answers drawn at a time. most_tokens: of a
    prompt and its answer; both are part of what an answer's last bits depend on.
    """

    def __init__(self, folder: Path, *, num_rows: int, most_tokens: int) -> None:
        self._folder, self._most_tokens = folder, most_tokens
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self._model.eval()
        self._rows = LocalRows(
            self._model,
            AutoTokenizer.from_pretrained(folder),
            num_rows=num_rows,
            num_columns=most_tokens,
        )
        self._version = 0
        self._thread = OwnThread("sampler")

    async def sample(
        self, requests: Sequence[GroupRequest], drawing: Drawing
    ) -> AsyncIterator[Group]:
        """Groups as they are done. Raises SamplerFailed for a prompt that leaves no room."""
        self._refuse_too_long(requests, drawing)
        started, loop = time.monotonic(), asyncio.get_running_loop()
        done: asyncio.Queue[FinishedAnswer | None] = asyncio.Queue()
        is_left = threading.Event()

        def draw() -> None:
            try:
                for one in self._rows.draw(requests, drawing, self._version, is_left.is_set):
                    loop.call_soon_threadsafe(done.put_nowait, one)
            finally:
                loop.call_soon_threadsafe(done.put_nowait, None)

        drawing_all = asyncio.ensure_future(self._thread.call(draw))
        answers: list[list[Answer | None]] = [[None] * len(one.seeds) for one in requests]
        try:
            while (finished := await done.get()) is not None:
                answers[finished.request][finished.sample] = finished.answer
                group = tuple(one for one in answers[finished.request] if one is not None)
                if len(group) == len(answers[finished.request]):
                    yield Group(
                        request=requests[finished.request],
                        answers=group,
                        sampling_seconds=time.monotonic() - started,
                    )
            await drawing_all
        finally:
            is_left.set()
            drawing_all.cancel()

    async def update(self, folder: Path, version: int) -> None:
        """Take the weights of a published folder. Raises UpdateFailed; the old ones stay then."""
        await self._thread.call(self._load, folder)
        self._version = version

    async def log_probs(
        self, sequences: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], temperature: float
    ) -> list[tuple[float, ...]]:
        """Of each answer's tokens."""

        def read() -> list[tuple[float, ...]]:
            return [self._rows.log_probs(*sequence, temperature) for sequence in sequences]

        return await self._thread.call(read)

    async def identify(self) -> dict[str, str]:
        """What the samples are drawn with."""
        return {
            "model": self._folder.name,
            "tokenizer": tokenizer_digest(self._folder),
            "engine": f"transformers on {torch.get_num_threads()} threads",
        }

    async def close(self) -> None:
        """Let the thread end."""
        self._thread.close()

    def _load(self, folder: Path) -> None:
        tensors: dict[str, torch.Tensor] = {}
        try:
            for path in sorted(folder.glob("*.safetensors")):
                tensors |= load_file(path)
        except (OSError, SafetensorError) as error:
            raise UpdateFailed(
                f"version folder {folder} cannot be read ({error}): publish it again"
            ) from error
        ours = dict(self._model.state_dict())
        unknown = sorted(tensors.keys() - ours.keys())
        wrong = [
            name for name in tensors if name in ours and tensors[name].shape != ours[name].shape
        ]
        # A tied output layer is the embedding, and need not be in the folder.
        places = {_place(ours[name]) for name in tensors if name in ours}
        missing = [name for name in ours if _place(ours[name]) not in places]
        if unknown or wrong or missing:
            raise UpdateFailed(
                f"version folder {folder} is not of this model: unknown {unknown[:3]}, of another shape"
                f" {wrong[:3]}, missing {missing[:3]}; publish full weights of {self._folder.name}"
            )
        with torch.inference_mode():
            for name, tensor in tensors.items():
                ours[name].copy_(tensor)

    def _refuse_too_long(self, requests: Sequence[GroupRequest], drawing: Drawing) -> None:
        longest = max(len(request.prompt_ids) for request in requests)
        if longest + drawing.max_new_tokens > self._most_tokens:
            raise SamplerFailed(
                f"a prompt has {longest} tokens and its answer up to {drawing.max_new_tokens}, and a row"
                f" of the sampler holds {self._most_tokens}: raise drawing.max_prompt_tokens"
            )


def _place(tensor: torch.Tensor) -> int:
    """Where a tensor lies in memory: the same for tied ones."""
    return int(tensor.data_ptr())


def tokenizer_digest(folder: Path) -> str:
    """SHA-256 of the tokenizer's file; "" where the model has none of that kind."""
    path = folder / _TOKENIZER_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
