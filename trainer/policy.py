"""The seam to what learns: log-probs of given tokens, one optimiser step, state for a checkpoint.

Implementations: `plain_policy` (one process; full fine-tuning or LoRA), `sharded_policy` (FSDP2 under
torchrun, the same calls on every rank).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trainer.packing import Sample


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What one optimiser step did: plain numbers by name, for the log.

    values: at least loss, gradient_norm (before it was clipped), learning_rate, entropy,
    clip_low_share, clip_high_share, mismatch_kl, ratio_max, num_tokens (trained), num_fed_tokens
    (with prompts and padding), num_micro_batches, seconds, and staleness_0 up to the bound: trained
    tokens by how many versions old they are.
    is_skipped: no sample had anything to teach, and nothing was changed.
    """

    values: Mapping[str, float]
    is_skipped: bool = False


class Policy(Protocol):
    """Weights in training."""

    @property
    def version(self) -> int:
        """Number of published updates; the sampler's tokens carry it. 0 is the model trained from."""
        ...

    def log_probs(self, samples: Sequence[Sample], temperature: float) -> list[list[float]]:
        """Of every answer token under the current weights, no gradient."""
        ...

    def step(self, samples: Sequence[Sample]) -> StepReport:
        """One optimiser step on a mini-batch. Raises StepInvalid for a loss or gradient not finite.

        Where it raises, weights and optimiser are what they were. With several steps an iteration,
        each sample's proximal_log_probs are those of `log_probs` before the first.
        """
        ...

    def publish(self, folder: Path, summary: Mapping[str, Any] | None = None) -> None:
        """Write what a sampler loads: weights in the model's own Hugging Face layout (LoRA merged, or an
        adapter where the recipe says so), its config and tokenizer, with the manifest.

        `version` counts one up where the weights have changed since it was last counted; publishing
        the same weights again, after a resume, is the same version. summary: rewards and evaluations
        for the manifest. Raises SaveFailed, and then `folder` does not exist.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Weights, optimiser and schedule for a checkpoint: `torch.save`-able, this rank's part."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state, bit for bit."""
        ...
