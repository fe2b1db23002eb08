"""What decides an optimiser step besides its samples: one value, frozen, the defaults DeepCoder's.

Sources of the defaults: field reports of DeepCoder's scripts (AdamW, rate 1e-6 constant, betas 0.9 and
0.999, weight decay 0.01, gradients clipped at 1.0, masters in float32, work in bfloat16).
"""

import enum
from dataclasses import dataclass, field

import torch

from trainer.errors import ObjectiveInvalid
from trainer.importance import Correction, CorrectionBounds
from trainer.normaliser import Normaliser
from trainer.surrogate import Objective


class Compute(enum.StrEnum):
    """What the model works in; masters, moments and summed gradients are float32 in any case."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


DTYPES = {Compute.FLOAT32: torch.float32, Compute.BFLOAT16: torch.bfloat16}


class Layout(enum.StrEnum):
    """How samples become rows.

    shared: end to end in one row, the answers of one prompt sharing it wherever that is cheaper.
    packed: end to end, each with its own prompt. padded: a row a sample, filled up to the longest; the
    only one for a model whose layers do not all attend to everything before.
    """

    SHARED = "shared"
    PADDED = "padded"
    PACKED = "packed"


@dataclass(frozen=True, kw_only=True)
class LoraOptions:
    """An adapter instead of all weights. targets: names of layers as peft takes them.

    is_published_merged: False publishes the adapter alone, for an engine that holds the base.
    """

    rank: int = 32
    alpha: int = 64
    targets: str | tuple[str, ...] = "all-linear"
    is_published_merged: bool = True

    def __post_init__(self) -> None:
        """Refuse an adapter that could not learn."""
        if self.rank < 1 or self.alpha < 1:
            raise ObjectiveInvalid(
                f"LoRA has rank {self.rank} and alpha {self.alpha}: a rank is at least 1 and so is alpha;"
                " rank 32 with alpha 64 does well"
            )


@dataclass(frozen=True, kw_only=True)
class PolicyOptions:
    """Options of a policy.

    temperature: of the sampler's draws and of the learner's log-probs. warm_up_steps: the rate rises
    in equal parts to its value at this step and stays. max_gradient_norm: of all gradients together.
    tokens_per_micro_batch: most tokens fed at once, padding included; with it grows the memory.
    constant_tokens: the L of the normaliser `constant`. max_staleness: versions. device: None takes a
    GPU where there is one. seed: of the adapter's first values.
    """

    learning_rate: float = 1e-6
    warm_up_steps: int = 0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0
    temperature: float = 0.6
    compute: Compute = Compute.BFLOAT16
    lora: LoraOptions | None = None
    is_checkpointing: bool = False
    tokens_per_micro_batch: int = 2048
    layout: Layout = Layout.SHARED
    objective: Objective = field(default_factory=Objective)
    normaliser: Normaliser = Normaliser.GLOBAL_TOKEN
    constant_tokens: int = 1
    correction: Correction = Correction.NONE
    correction_bounds: CorrectionBounds = field(default_factory=CorrectionBounds)
    max_staleness: int = 1
    device: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that no optimiser step can be made of."""
        for name, least in (
            ("warm_up_steps", 0), ("weight_decay", 0), ("max_staleness", 0), ("learning_rate", 0),
            ("tokens_per_micro_batch", 1), ("constant_tokens", 1),
        ):  # fmt: skip
            if not getattr(self, name) >= least:
                raise ObjectiveInvalid(
                    f"{name} is {getattr(self, name)}: it is at least {least}; correct the recipe"
                )
        if not (self.max_gradient_norm > 0.0 and self.temperature > 0.0 and self.epsilon > 0.0):
            raise ObjectiveInvalid(
                f"max_gradient_norm is {self.max_gradient_norm}, temperature {self.temperature}, epsilon"
                f" {self.epsilon}: each is above 0; DeepCoder's are 1.0, 0.6 and 1e-8"
            )

    def rate_at(self, step: int) -> float:
        """The learning rate of optimiser step number `step`, counted from 0."""
        return self.learning_rate * min(1.0, (step + 1) / max(1, self.warm_up_steps))
