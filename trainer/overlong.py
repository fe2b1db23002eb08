"""What becomes of a sample that was cut at its limit of tokens, in the two ways that go by one name.

    zero_advantage  DeepCoder as shipped (agentica-project/rllm, compute_grpo_outcome_advantage): a
                    truncated sample with reward 0 has its advantage set to 0. Its tokens stay in the
                    loss's denominator, and a truncated sample that is right is trained.
    mask_tokens     as described, and TRL's mask_truncated_completions: the tokens of every truncated
                    sample leave the loss and its denominator.

Under both the sample's reward stays in its group's mean and deviation.
"""

import enum
from dataclasses import dataclass

import torch
from torch import Tensor


class OverlongFilter(enum.StrEnum):
    """Which samples that ended at the limit are kept from teaching, and how."""

    OFF = "off"
    ZERO_ADVANTAGE = "zero_advantage"
    MASK_TOKENS = "mask_tokens"


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """is_trained_PG: samples whose tokens are in the loss and in its denominator."""

    advantages_PG: Tensor
    is_trained_PG: Tensor


def filter_overlong(
    advantages_PG: Tensor,
    rewards_PG: Tensor,
    is_truncated_PG: Tensor,
    *,
    overlong: OverlongFilter,
) -> Filtered:
    """is_truncated_PG: the sample ended at its limit, not by its own end token."""
    is_trained_PG = torch.ones_like(is_truncated_PG)
    if overlong is OverlongFilter.ZERO_ADVANTAGE:
        is_silenced_PG = is_truncated_PG & (rewards_PG <= 0)
        advantages_PG = torch.where(is_silenced_PG, 0.0, advantages_PG)
    elif overlong is OverlongFilter.MASK_TOKENS:
        is_trained_PG = ~is_truncated_PG
    return Filtered(advantages_PG=advantages_PG, is_trained_PG=is_trained_PG)
