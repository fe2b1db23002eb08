"""The seam to a model: prompts go out, completions come back, over HTTP only."""

from dataclasses import dataclass
from typing import Protocol

from evaluator.prompt import Prompt


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How completions are drawn. seed: of the first sample; sample i is drawn with seed + i."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 2048
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One answer. finish_reason: "stop", "length" or what the endpoint said.

    reasoning: what the endpoint sent apart from the text. model_version: what it said about its
    weights. cost: in US dollars, where the provider's price is known.
    """

    text: str
    reasoning: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_seconds: float = 0.0
    first_token_seconds: float | None = None
    num_retries: int = 0
    cost: float | None = None
    model_version: str = ""


class Completer(Protocol):
    """Draws one completion of a prompt. Raises EndpointFailed after its own retries."""

    async def complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        """One completion."""
        ...

    async def identify(self) -> dict[str, str]:
        """What the endpoint says of itself: model, weights digest, engine; for the manifest."""
        ...

    async def close(self) -> None:
        """Let go of its connections."""
        ...
