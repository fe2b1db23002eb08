"""A softmax bandit whose gradient is known exactly: what each kind of advantage expects to do.

Four actions, three draws a group. Every one of the 64 groups is enumerated and weighed with its
probability, so that expectations are exact and nothing is left to chance.
"""

import itertools
import math

import torch
from torch import Tensor

from trainer.advantage import AdvantageKind, group_advantages
from trainer.importance import Correction, CorrectionBounds, correct
from trainer.normaliser import Normaliser, StepTotals, token_weights
from trainer.surrogate import Objective, TokenTerms, surrogate_loss

SIZE = 3
LOGITS = torch.tensor([0.3, -0.2, 0.5, 0.0], dtype=torch.float64)
REWARDS = torch.tensor([1.0, 0.0, 0.2, 0.6], dtype=torch.float64)
GROUPS_PG = torch.tensor(list(itertools.product(range(4), repeat=SIZE)))


def exact_gradient(logits: Tensor = LOGITS) -> Tensor:
    """Of J = sum_a pi(a) r(a): pi(a) (r(a) - J)."""
    policy = logits.softmax(dim=0)
    return policy * (REWARDS - policy @ REWARDS)


def expected_gradient(
    kind: AdvantageKind,
    *,
    sampler: Tensor = LOGITS,
    learner: Tensor = LOGITS,
    correction: Correction = Correction.NONE,
    objective: Objective | None = None,
) -> Tensor:
    """Minus the gradient of the loss, over all groups that the sampler may draw."""
    logits = learner.clone().requires_grad_()
    chances_P = sampler.log_softmax(dim=0)[GROUPS_PG].sum(dim=1).exp()
    log_probs_PG = logits.log_softmax(dim=0)[GROUPS_PG]
    mask_PG = torch.ones_like(GROUPS_PG, dtype=torch.bool)
    corrected = correct(
        sampler.log_softmax(dim=0)[GROUPS_PG],
        learner.log_softmax(dim=0)[GROUPS_PG],
        mask_PG,
        GROUPS_PG,
        correction=correction,
        bounds=CorrectionBounds(cap=1e6),
    )
    one_group = token_weights(
        mask_PG[:1], mask_PG[:1].long(), StepTotals(num_tokens=SIZE, num_sequences=SIZE),
        normaliser=Normaliser.GLOBAL_TOKEN,
    )  # fmt: skip
    loss, _ = surrogate_loss(
        TokenTerms(
            log_probs_BT=log_probs_PG,
            corrected=corrected,
            advantages_BT=group_advantages(REWARDS[GROUPS_PG], kind=kind).advantages_PG,
            mask_BT=mask_PG,
            token_weights_BT=one_group * chances_P[:, None],
        ),
        objective or Objective(),
    )
    loss.backward()
    assert logits.grad is not None
    return -logits.grad


def cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))


def test_leave_one_out_expects_the_exact_gradient() -> None:
    torch.testing.assert_close(
        expected_gradient(AdvantageKind.LEAVE_ONE_OUT), exact_gradient(), rtol=1e-10, atol=1e-12
    )


def test_centring_expects_it_shrunk_by_one_part_in_the_group_size() -> None:
    torch.testing.assert_close(
        expected_gradient(AdvantageKind.CENTRED),
        (1 - 1 / SIZE) * exact_gradient(),
        rtol=1e-10,
        atol=1e-12,
    )


def test_scaling_by_the_deviation_expects_another_direction() -> None:
    found = expected_gradient(AdvantageKind.STD_SCALED)
    assert 0.9 < cosine(found, exact_gradient()) < 0.9999


def test_a_full_importance_weight_makes_a_stale_sampler_unbiased_and_its_lack_does_not() -> None:
    stale = LOGITS + torch.tensor([0.4, -0.3, 0.2, -0.4], dtype=torch.float64)
    kind = AdvantageKind.LEAVE_ONE_OUT
    found = expected_gradient(kind, sampler=stale, correction=Correction.DECOUPLED)
    torch.testing.assert_close(found, exact_gradient(), rtol=1e-10, atol=1e-12)
    biased = expected_gradient(kind, sampler=stale, correction=Correction.RECOMPUTED)
    assert (biased - exact_gradient()).norm() > 0.05 * exact_gradient().norm()


def test_ratios_against_the_sampler_are_unbiased_too_while_nothing_is_clipped() -> None:
    stale = LOGITS + torch.tensor([0.4, -0.3, 0.2, -0.4], dtype=torch.float64)
    kind = AdvantageKind.LEAVE_ONE_OUT
    open_clip = Objective(clip_low=0.99, clip_high=100.0)
    found = expected_gradient(kind, sampler=stale, objective=open_clip)
    torch.testing.assert_close(found, exact_gradient(), rtol=1e-10, atol=1e-12)
    clipped = expected_gradient(kind, sampler=stale)
    assert (clipped - exact_gradient()).norm() > 0.05 * exact_gradient().norm()


def test_ascending_the_expected_gradient_finds_the_best_action() -> None:
    for kind in AdvantageKind:
        logits = torch.zeros(4, dtype=torch.float64)
        for _ in range(300):
            logits = logits + expected_gradient(kind, sampler=logits, learner=logits)
        assert logits.argmax() == REWARDS.argmax()
        assert logits.softmax(dim=0)[0] > 0.9


def test_chance_of_a_dead_group_has_its_closed_form() -> None:
    # Two actions, right with probability p: all alike with p^G + (1 - p)^G; G = 8 in DeepCoder.
    outcomes_PG = torch.tensor(list(itertools.product([0.0, 1.0], repeat=8)))
    for share, stated in ((0.5, 0.008), (0.9, 0.43), (0.05, 0.66)):
        dead_P = group_advantages(outcomes_PG, kind=AdvantageKind.CENTRED).is_dead_P
        right_P = outcomes_PG.sum(dim=1)
        chances_P = share**right_P * (1 - share) ** (8 - right_P)
        found = chances_P[dead_P].sum().item()
        assert math.isclose(found, share**8 + (1 - share) ** 8, rel_tol=1e-5)
        assert abs(found - stated) < 0.005
