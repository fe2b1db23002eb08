"""The seam to whatever samples: token ids go in, token ids with their log-probs come out.

A sampler answers groups of one prompt. Implementations: `served_sampler` asks a server's train lane,
`local_sampler` generates with transformers and is bit for bit the same for the same seeds.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How answers are drawn. No top-p and no top-k: their log-probs are not the policy's.

    temperature: of the sampler and of the learner's log-probs alike. stop: strings that end an
    answer; the tokens of the one that ended it are part of the answer's tokens.
    """

    temperature: float
    max_new_tokens: int
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GroupRequest:
    """Answers wanted of one prompt.

    key: unique in its iteration, and the same after a resume. seeds: one a sample; a sampler that is
    deterministic draws sample i from seeds[i] alone, whatever else it draws beside it. stop: strings
    that end an answer to this prompt, besides the drawing's.
    """

    key: str
    prompt_ids: tuple[int, ...]
    seeds: tuple[int, ...]
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One sampled answer.

    text: without special tokens and without the stop string. log_probs: natural, of each token under
    the distribution it was drawn from, temperature included. policy_versions: which weights drew
    each token; they differ where the policy was updated under way. is_cut: it met its token limit.
    """

    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    policy_versions: tuple[int, ...]
    text: str
    is_cut: bool


@dataclass(frozen=True, kw_only=True)
class Group:
    """The answers of a request, in the order of its seeds. sampling_seconds: from asking to the last."""

    request: GroupRequest
    answers: tuple[Answer, ...]
    sampling_seconds: float


class Sampler(Protocol):
    """Draws answers, and takes new weights without a restart."""

    def sample(self, requests: Sequence[GroupRequest], drawing: Drawing) -> AsyncIterator[Group]:
        """Groups as they are done, in any order. Raises SamplerFailed, SamplerMismatch."""
        ...

    async def update(self, folder: Path, version: int) -> None:
        """Answer from the published weights in `folder` from now on. Raises UpdateFailed.

        Answers under way go on with the new weights and say so token by token.
        """
        ...

    async def log_probs(
        self, sequences: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], temperature: float
    ) -> list[tuple[float, ...]]:
        """Of the answers in (prompt, answer) pairs, under the current weights: for the probe at start."""
        ...

    async def identify(self) -> dict[str, str]:
        """Model, weights digest, tokenizer digest, engine; for the manifest and the tokenizer check."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...
