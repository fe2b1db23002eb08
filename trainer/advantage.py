"""How much better a sample is than the others of its group: the advantage that its tokens are given.

With rewards r_1 .. r_n of the n counted samples of one prompt, m their mean, s their standard
deviation with Bessel's correction (n - 1), as DeepCoder's trainer takes it:

    std_scaled      A_i = (r_i - m) / (s + 1e-6)          GRPO, arXiv:2402.03300 eq. 3
    centred         A_i = r_i - m                         Dr. GRPO, arXiv:2503.20783
    leave_one_out   A_i = r_i - mean_{j != i} r_j         RLOO, arXiv:2402.14740
                        = (r_i - m) n / (n - 1)

One of eight right, by std_scaled: +2.475 for it, -0.354 for the others. Leave-one-out is the one whose
gradient is unbiased; centring shrinks it by (n - 1) / n; scaling by the deviation weighs prompts anew.

A group is dead when its counted rewards are all equal, told by max - min. Never by the deviation: that
of equal float32 rewards is not always 0, and what is left of it once made an advantage of 7,428
(NVIDIA-NeMo/RL#4158). A dead group's advantages are exactly 0.
"""

import enum
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.errors import GroupInvalid

DEVIATION_FLOOR = 1e-6
"""Added to the deviation: DeepCoder's value. TRL adds 1e-4, which takes 0.03% off the worked example."""

EQUAL_WITHIN = 1e-6
"""Rewards in [0, 1] closer than this are equal: float32 sums of the same parts differ by less."""


class AdvantageKind(enum.StrEnum):
    """What a sample's reward is measured against, and on which scale."""

    STD_SCALED = "std_scaled"
    CENTRED = "centred"
    LEAVE_ONE_OUT = "leave_one_out"


@dataclass(frozen=True, kw_only=True)
class GroupAdvantages:
    """advantages_PG: 0 for what is not counted. is_dead_P: groups that teach nothing.

    num_counted_P: samples that stood in the group's statistics.
    """

    advantages_PG: Tensor
    is_dead_P: Tensor
    num_counted_P: Tensor


def group_advantages(
    rewards_PG: Tensor, is_counted_PG: Tensor | None = None, *, kind: AdvantageKind
) -> GroupAdvantages:
    """The advantages of P groups of at most G samples each.

    is_counted_PG: False where there is no reward, because our own host failed; such a sample is in no
    statistic, and its place in rewards_PG may hold anything, NaN too. A group that is left with fewer
    than two is dead. Raises GroupInvalid for G < 2, since a lone sample is its own baseline, and for
    a counted reward that is not finite.
    """
    if rewards_PG.shape[1] < 2:
        raise GroupInvalid(
            f"the group size is {rewards_PG.shape[1]}: a sample is measured against the others of its"
            " group, so a group needs at least 2; raise samples_per_prompt"
        )
    if is_counted_PG is None:
        is_counted_PG = torch.ones_like(rewards_PG, dtype=torch.bool)
    _refuse_non_finite(rewards_PG, is_counted_PG)
    # Not a product with the mask: NaN times 0 is NaN.
    rewards_PG = torch.where(is_counted_PG, rewards_PG, 0.0)
    num_counted_P = is_counted_PG.sum(dim=1)
    is_dead_P = ~_has_spread(rewards_PG, is_counted_PG)
    count_PG = num_counted_P.clamp(min=2).to(rewards_PG.dtype)[:, None]
    centred_PG = rewards_PG - rewards_PG.sum(dim=1, keepdim=True) / count_PG
    centred_PG = torch.where(is_counted_PG & ~is_dead_P[:, None], centred_PG, 0.0)
    if kind is AdvantageKind.STD_SCALED:
        deviation_PG = (centred_PG.square().sum(dim=1, keepdim=True) / (count_PG - 1)).sqrt()
        advantages_PG = centred_PG / (deviation_PG + DEVIATION_FLOOR)
    elif kind is AdvantageKind.LEAVE_ONE_OUT:
        advantages_PG = centred_PG * count_PG / (count_PG - 1)
    else:
        advantages_PG = centred_PG
    return GroupAdvantages(
        advantages_PG=advantages_PG, is_dead_P=is_dead_P, num_counted_P=num_counted_P
    )


def _has_spread(rewards_PG: Tensor, is_counted_PG: Tensor) -> Tensor:
    """True for a group whose counted rewards differ; False where fewer than two are counted."""
    most_P = torch.where(is_counted_PG, rewards_PG, -torch.inf).amax(dim=1)
    least_P = torch.where(is_counted_PG, rewards_PG, torch.inf).amin(dim=1)
    return most_P - least_P > EQUAL_WITHIN


def _refuse_non_finite(rewards_PG: Tensor, is_counted_PG: Tensor) -> None:
    wrong = torch.nonzero(is_counted_PG & ~torch.isfinite(rewards_PG))
    if len(wrong):
        prompt, sample = wrong[0].tolist()
        raise GroupInvalid(
            f"the reward of sample {sample} of prompt {prompt} is {rewards_PG[prompt, sample].item()}:"
            " a reward is a finite number; mend the reward, or mark the sample as not counted"
        )
