"""What an optimiser step did to the ratios, as sums and extremes that micro-batches and ranks can merge.

Kept as two tensors on the device, so that counting never waits for it: all-reduce `sums_K` by SUM and
`extremes_K` by MAX, then read `named()` once a step.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_SUMS = (
    "tokens", "clipped_high", "clipped_low", "ratio", "weight", "unweighted", "entropy", "drift"
)  # fmt: skip
_MISMATCH_SUMS = ("tokens", "k1", "k3", "error_factor")


@dataclass(frozen=True, kw_only=True)
class SurrogateStatistics:
    """sums_K: float64, in the order of _SUMS. extremes_K: most of ratio and of its inverse."""

    sums_K: Tensor
    extremes_K: Tensor

    def __add__(self, other: "SurrogateStatistics") -> "SurrogateStatistics":
        return SurrogateStatistics(
            sums_K=self.sums_K + other.sums_K,
            extremes_K=torch.maximum(self.extremes_K, other.extremes_K),
        )

    def named(self) -> dict[str, float]:
        """Means over trained tokens: the shape of a log row.

        clip_fraction_high: tokens with A > 0 whose ratio passed the upper bound, clip_fraction_low:
        with A < 0 below the lower one; only these lose their gradient. zero_weight_fraction: tokens
        that a correction took out. entropy and drift are 0 where they were not computed.
        """
        sums = dict(zip(_SUMS, self.sums_K.tolist(), strict=True))
        most, most_inverse = self.extremes_K.tolist()
        num_tokens = max(sums["tokens"], 1.0)
        return {
            "num_tokens": sums["tokens"],
            "clip_fraction_high": sums["clipped_high"] / num_tokens,
            "clip_fraction_low": sums["clipped_low"] / num_tokens,
            "ratio_mean": sums["ratio"] / num_tokens,
            "ratio_max": most,
            "ratio_min": 1.0 / most_inverse,
            "weight_mean": sums["weight"] / num_tokens,
            "zero_weight_fraction": sums["unweighted"] / num_tokens,
            "entropy": sums["entropy"] / num_tokens,
            "drift": sums["drift"] / num_tokens,
        }


def count_statistics(
    *,
    ratio_BT: Tensor,
    advantages_BT: Tensor,
    weights_BT: Tensor,
    mask_BT: Tensor,
    clip: tuple[float, float],
    entropy_BT: Tensor | None,
    drift_BT: Tensor | None,
) -> SurrogateStatistics:
    """Statistics of one micro-batch; clip: the lowest and highest ratio that keep their gradient."""
    ratio_BT = ratio_BT.detach()
    zeros_BT = torch.zeros_like(ratio_BT)
    columns = (
        torch.ones_like(ratio_BT),
        (ratio_BT > clip[1]) & (advantages_BT > 0),
        (ratio_BT < clip[0]) & (advantages_BT < 0),
        ratio_BT,
        weights_BT,
        weights_BT == 0,
        zeros_BT if entropy_BT is None else entropy_BT.detach(),
        zeros_BT if drift_BT is None else drift_BT.detach(),
    )
    sums_K = torch.stack([_masked_sum(column_BT, mask_BT) for column_BT in columns])
    # Ratios are 1 outside the mask, so an extreme is never below 1 and nothing trained gives 1.
    extremes_K = torch.stack([ratio_BT.max(), (1.0 / ratio_BT).max()]).double()
    return SurrogateStatistics(sums_K=sums_K, extremes_K=extremes_K.clamp(min=1.0))


@dataclass(frozen=True, kw_only=True)
class MismatchStatistics:
    """How far the learner's log-probs of the sampler's tokens lie from the sampler's own."""

    sums_K: Tensor
    extremes_K: Tensor

    def __add__(self, other: "MismatchStatistics") -> "MismatchStatistics":
        return MismatchStatistics(
            sums_K=self.sums_K + other.sums_K,
            extremes_K=torch.maximum(self.extremes_K, other.extremes_K),
        )

    def named(self) -> dict[str, float]:
        """Means over trained tokens of the estimates of KL(behaviour || learner).

        mismatch_k1 = mean(d) with d = log mu - log pi: unbiased, of either sign, noisy.
        mismatch_kl = mean(exp(-d) + d - 1): never negative; above 1e-3 something is wrong.
        mismatch_error = mean(exp|d|) - 1: how wrong a probability is, 1% to 2% being the alarm
        (NVIDIA-NeMo/RL, docs/guides/grpo.md). mismatch_max = max|d|.
        """
        sums = dict(zip(_MISMATCH_SUMS, self.sums_K.tolist(), strict=True))
        num_tokens = max(sums["tokens"], 1.0)
        return {
            "mismatch_k1": sums["k1"] / num_tokens,
            "mismatch_kl": sums["k3"] / num_tokens,
            "mismatch_error": sums["error_factor"] / num_tokens,
            "mismatch_max": self.extremes_K.item(),
        }


def count_mismatch(
    behaviour_log_probs_BT: Tensor, learner_log_probs_BT: Tensor, mask_BT: Tensor
) -> MismatchStatistics:
    """learner_log_probs_BT: at the weights that the sampler had, else it is staleness too."""
    gap_BT = torch.where(
        mask_BT, behaviour_log_probs_BT.detach() - learner_log_probs_BT.detach(), 0.0
    )
    columns = (
        torch.ones_like(gap_BT), gap_BT, torch.expm1(-gap_BT) + gap_BT, torch.expm1(gap_BT.abs())
    )  # fmt: skip
    return MismatchStatistics(
        sums_K=torch.stack([_masked_sum(column_BT, mask_BT) for column_BT in columns]),
        extremes_K=gap_BT.abs().max().double(),
    )


def _masked_sum(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    return torch.where(mask_BT, values_BT.double(), 0.0).sum()
