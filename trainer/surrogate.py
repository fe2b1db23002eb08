"""The objective of GRPO+ over one micro-batch, as a loss whose parts add up over micro-batches and ranks.

For token t of sample i, with advantage A_i, ratio rho and weight w of trainer/importance.py:

    J(theta) = sum_i sum_t n_it [ w_it min(rho_it A_i, clip(rho_it, 1 - low, 1 + high) A_i)
                                  - kl_coefficient KL_it + entropy_coefficient H_it ]

    low 0.20, high 0.28     clip-high of DAPO, arXiv:2503.14476 eq. 10; DeepCoder's values
    KL_it                   Schulman's k3, exp(d) - d - 1 with d = log pi_ref - log pi_theta,
                            arXiv:2402.03300 eq. 4; never negative. Off by default, as in GRPO+.
                            Not times rho as in arXiv:2512.02556 and, by default, TRL 1.16
    H_it                    entropy of the whole next-token distribution. Off by default, as in GRPO+
    n_it                    trainer/normaliser.py: 1 / (trained tokens of the whole step) by default

The loss is -J. Nothing is divided by what happens to lie in one micro-batch, save by `as_shipped`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.errors import ObjectiveInvalid
from trainer.importance import Corrected, bounded_ratio
from trainer.surrogate_statistics import SurrogateStatistics, count_statistics


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The surrogate's constants; the defaults are GRPO+."""

    clip_low: float = 0.20
    clip_high: float = 0.28
    kl_coefficient: float = 0.0
    entropy_coefficient: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what would turn the clip or a penalty around."""
        if not (0.0 < self.clip_low < 1.0 and self.clip_high > 0.0):
            raise ObjectiveInvalid(
                f"the clip is {self.clip_low} down and {self.clip_high} up: down lies between 0 and 1"
                " and up above 0; DeepCoder's are 0.2 and 0.28"
            )
        if self.kl_coefficient < 0.0 or self.entropy_coefficient < 0.0:
            raise ObjectiveInvalid(
                f"the coefficients are {self.kl_coefficient} for KL and {self.entropy_coefficient} for"
                " entropy: below 0 they would reward drift or collapse; 0 turns them off"
            )


@dataclass(frozen=True, kw_only=True)
class TokenTerms:
    """What the loss needs of each position. Outside mask_BT every tensor may hold anything.

    log_probs_BT: of the current policy, with its gradient. entropy_BT: needed for an entropy term,
    counted in the statistics wherever given. reference_log_probs_BT: needed for a KL term.
    """

    log_probs_BT: Tensor
    corrected: Corrected
    advantages_BT: Tensor
    mask_BT: Tensor
    token_weights_BT: Tensor
    entropy_BT: Tensor | None = None
    reference_log_probs_BT: Tensor | None = None


def surrogate_loss(terms: TokenTerms, objective: Objective) -> tuple[Tensor, SurrogateStatistics]:
    """This micro-batch's share of the step's loss, and its statistics; both add up.

    The loss of a step is the sum over its micro-batches and ranks. A back-end that averages gradients
    over ranks wants it times the number of ranks.
    """
    mask_BT = terms.mask_BT
    ratio_BT = bounded_ratio(terms.log_probs_BT, terms.corrected.centre_log_probs_BT, mask_BT)
    advantages_BT = torch.where(mask_BT, terms.advantages_BT, 0.0)
    gain_BT = clipped_gain(ratio_BT, advantages_BT, objective)
    gain_BT = gain_BT * torch.where(mask_BT, terms.corrected.weights_BT, 0.0)
    drift_BT = None
    if terms.reference_log_probs_BT is not None:
        drift_BT = drift_k3(terms.log_probs_BT, terms.reference_log_probs_BT, mask_BT)
    if objective.kl_coefficient:
        gain_BT = gain_BT - objective.kl_coefficient * _required(
            drift_BT, "kl_coefficient", "reference log-probs"
        )
    if objective.entropy_coefficient:
        entropy_BT = _required(terms.entropy_BT, "entropy_coefficient", "entropies")
        gain_BT = gain_BT + objective.entropy_coefficient * torch.where(mask_BT, entropy_BT, 0.0)
    loss = -(gain_BT * torch.where(mask_BT, terms.token_weights_BT, 0.0)).sum()
    statistics = count_statistics(
        ratio_BT=ratio_BT,
        advantages_BT=advantages_BT,
        weights_BT=terms.corrected.weights_BT,
        mask_BT=mask_BT,
        clip=(1.0 - objective.clip_low, 1.0 + objective.clip_high),
        entropy_BT=terms.entropy_BT,
        drift_BT=drift_BT,
    )
    return loss, statistics


def clipped_gain(ratio_BT: Tensor, advantages_BT: Tensor, objective: Objective) -> Tensor:
    """min(rho A, clip(rho) A), arXiv:1707.06347 eq. 7, with the upper bound of its own of DAPO."""
    clipped_BT = ratio_BT.clamp(1.0 - objective.clip_low, 1.0 + objective.clip_high)
    return torch.minimum(ratio_BT * advantages_BT, clipped_BT * advantages_BT)


def drift_k3(log_probs_BT: Tensor, reference_log_probs_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """KL(pi_theta || pi_ref) by k3 of samples from pi_theta: exp(d) - d - 1; 0 outside the mask."""
    log_ratio_BT = torch.where(mask_BT, reference_log_probs_BT - log_probs_BT, 0.0)
    return log_ratio_BT.exp() - log_ratio_BT - 1.0


def _required(given: Tensor | None, name: str, what: str) -> Tensor:
    if given is None:
        raise ObjectiveInvalid(
            f"{name} is above 0 and no {what} were given: the term is made of them; compute them or set"
            f" {name} to 0"
        )
    return given
