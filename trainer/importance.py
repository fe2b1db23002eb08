"""Ratios between the policies that a token meets, and how sampling by another one is corrected.

Three log-probs of one token, all at the sampling temperature:

    behaviour   mu        what the sampler drew it with: an older version, another engine's kernels
    proximal    pi_prox   the learner's weights when the iteration begins, recomputed by the learner
    current     pi_theta  the learner's weights now, with the gradient

The surrogate clips r = pi_theta / centre around 1 and multiplies by a weight w without gradient:

    correction        centre     w
    none              mu         1                                 the sampler's log-probs believed
    recomputed        pi_prox    1                                 as shipped by verl and DeepCoder: the
                                                                   mismatch is there and not corrected
    truncated_token   pi_prox    min(pi_prox / mu, cap)            TIS, fengyao.notion.site/off-policy-rl
    geometric_mask    pi_prox    1 if low <= g <= high, else 0     g = exp(mean_t log(pi_prox / mu)) over
                                                                   the sequence; SkyRL, verl
    decoupled         pi_prox    pi_prox / mu                      arXiv:2110.00641, arXiv:2505.24298

A weight of 0 leaves the token in the loss's denominator: the normaliser is known before the ratios are.
"""

import enum
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.errors import ObjectiveInvalid

MOST_LOG_RATIO = 20.0
"""Log-ratios are held within this, as in verl: exp of more overflows, and infinity times 0 is NaN."""


class Correction(enum.StrEnum):
    """How the gap between sampler and learner is corrected."""

    NONE = "none"
    RECOMPUTED = "recomputed"
    TRUNCATED_TOKEN = "truncated_token"
    GEOMETRIC_MASK = "geometric_mask"
    DECOUPLED = "decoupled"


@dataclass(frozen=True, kw_only=True)
class CorrectionBounds:
    """cap: most that truncated_token weighs a token. low, high: the geometric mask's band."""

    cap: float = 2.0
    low: float = 0.99
    high: float = 1.01

    def __post_init__(self) -> None:
        """Refuse bounds that would weigh or mask everything."""
        if not (1.0 <= self.cap < math.inf and 0.0 < self.low <= 1.0 <= self.high):
            raise ObjectiveInvalid(
                f"the correction's bounds are cap {self.cap}, band {self.low} to {self.high}: the cap is"
                " finite and at least 1 and the band holds 1, so that equal policies are left alone"
            )


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """The clip's centre and the tokens' weights; neither has a gradient."""

    centre_log_probs_BT: Tensor
    weights_BT: Tensor


def correct(
    behaviour_log_probs_BT: Tensor,
    proximal_log_probs_BT: Tensor | None,
    mask_BT: Tensor,
    sequence_BT: Tensor,
    *,
    correction: Correction,
    bounds: CorrectionBounds,
) -> Corrected:
    """The clip's centre and weights by the table above.

    mask_BT: trained tokens; others may hold anything. sequence_BT: whose token it is, numbered from 0
    within this micro-batch, and a sequence is never split over two. Raises ObjectiveInvalid where
    proximal log-probs are needed and not given.
    """
    behaviour_BT = behaviour_log_probs_BT.detach()
    ones_BT = torch.ones_like(behaviour_BT)
    if correction is Correction.NONE:
        return Corrected(centre_log_probs_BT=behaviour_BT, weights_BT=ones_BT)
    if proximal_log_probs_BT is None:
        raise ObjectiveInvalid(
            f"the correction is {correction} and no proximal log-probs were given: it compares the"
            " learner's own log-probs with the sampler's; recompute them, or set correction to none"
        )
    proximal_BT = proximal_log_probs_BT.detach()
    ratio_BT = bounded_ratio(proximal_BT, behaviour_BT, mask_BT)
    if correction is Correction.RECOMPUTED:
        weights_BT = ones_BT
    elif correction is Correction.TRUNCATED_TOKEN:
        weights_BT = ratio_BT.clamp(max=bounds.cap)
    elif correction is Correction.DECOUPLED:
        weights_BT = ratio_BT
    else:
        geometric_BT = geometric_ratio(proximal_BT, behaviour_BT, mask_BT, sequence_BT)
        weights_BT = ((geometric_BT >= bounds.low) & (geometric_BT <= bounds.high)).to(ratio_BT)
    return Corrected(centre_log_probs_BT=proximal_BT, weights_BT=weights_BT)


def bounded_ratio(numerator_BT: Tensor, denominator_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """exp(numerator - denominator) of two log-probs; 1 outside the mask, whatever lies there."""
    log_ratio_BT = torch.where(mask_BT, numerator_BT - denominator_BT, 0.0)
    return log_ratio_BT.clamp(-MOST_LOG_RATIO, MOST_LOG_RATIO).exp()


def geometric_ratio(
    numerator_BT: Tensor, denominator_BT: Tensor, mask_BT: Tensor, sequence_BT: Tensor
) -> Tensor:
    """Each token's sequence's geometric mean of the ratios; 1 outside the mask."""
    log_ratio_BT = torch.where(mask_BT, numerator_BT - denominator_BT, 0.0)
    mean_BT = sequence_sum(log_ratio_BT, mask_BT, sequence_BT) / sequence_sum(
        torch.ones_like(log_ratio_BT), mask_BT, sequence_BT
    ).clamp(min=1.0)
    return torch.where(mask_BT, mean_BT, 0.0).clamp(-MOST_LOG_RATIO, MOST_LOG_RATIO).exp()


def sequence_sum(values_BT: Tensor, mask_BT: Tensor, sequence_BT: Tensor) -> Tensor:
    """At every trained token the sum of values over its sequence's trained tokens; 0 elsewhere."""
    if not bool(mask_BT.any()):
        return torch.zeros_like(values_BT)
    owner_N = sequence_BT[mask_BT]
    sums_S = values_BT.new_zeros(int(owner_N.max()) + 1).index_add(0, owner_N, values_BT[mask_BT])
    return torch.zeros_like(values_BT).masked_scatter(mask_BT, sums_S[owner_N])
