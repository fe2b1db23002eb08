"""The clipped surrogate by hand, its gradient, its terms, its normalisers and its statistics."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from trainer.errors import BatchInvalid, ObjectiveInvalid
from trainer.importance import Corrected
from trainer.normaliser import Normaliser, StepTotals, token_weights
from trainer.surrogate import Objective, TokenTerms, clipped_gain, drift_k3, surrogate_loss
from trainer.surrogate_statistics import count_mismatch

# (ratio, advantage) -> gain and its derivative in the ratio; low 0.2, high 0.28.
BY_HAND = [
    (1.00, 1.0, 1.00, 1.0),
    (1.25, 1.0, 1.25, 1.0),  # past 1.2 and within clip-high
    (1.50, 1.0, 1.28, 0.0),  # clipped above
    (0.50, 1.0, 0.50, 1.0),  # a good token that became rare is pulled back
    (1.00, -2.0, -2.00, -2.0),
    (0.50, -2.0, -1.60, 0.0),  # clipped below
    (1.50, -2.0, -3.00, -2.0),  # a bad token that became likely is pushed back
]


def terms(log_probs: Tensor, centre: Tensor, advantages: Tensor, **given: Any) -> TokenTerms:
    mask = given.pop("mask_BT", torch.ones_like(log_probs, dtype=torch.bool))
    weights = given.pop("weights_BT", torch.ones_like(log_probs))
    return TokenTerms(
        log_probs_BT=log_probs,
        corrected=Corrected(centre_log_probs_BT=centre, weights_BT=weights),
        advantages_BT=advantages,
        mask_BT=mask,
        token_weights_BT=given.pop("token_weights_BT", torch.ones_like(log_probs)),
        **given,
    )


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


@pytest.mark.parametrize(("ratio", "advantage", "gain", "slope"), BY_HAND)
def test_clipped_gain_and_slope_by_hand_for_each_side(
    ratio: float, advantage: float, gain: float, slope: float
) -> None:
    check_by_hand(ratio, advantage, gain, slope)


def test_every_case_by_hand() -> None:
    for case in BY_HAND:
        check_by_hand(*case)


def check_by_hand(ratio: float, advantage: float, gain: float, slope: float) -> None:
    ratio_BT = row(ratio).requires_grad_()
    found = clipped_gain(ratio_BT, row(advantage), Objective())
    found.sum().backward()
    assert found.item() == pytest.approx(gain)
    assert ratio_BT.grad.item() == pytest.approx(slope)


def test_the_loss_of_an_on_policy_step_has_the_gradient_of_reinforce() -> None:
    log_probs = row(-1.0, -2.0, -0.5).requires_grad_()
    advantages = row(2.0, -1.0, 0.5)
    loss, statistics = surrogate_loss(terms(log_probs, log_probs.detach(), advantages), Objective())
    loss.backward()
    assert loss.item() == pytest.approx(-1.5)
    torch.testing.assert_close(log_probs.grad, -advantages)
    named = statistics.named()
    assert named["ratio_min"] == named["ratio_max"] == named["ratio_mean"] == 1.0
    assert named["clip_fraction_high"] == named["clip_fraction_low"] == 0.0


def test_gradients_away_from_the_kinks_are_those_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(3)
    shape = (2, 7)
    log_probs = -torch.rand(shape, generator=generator, dtype=torch.float64) - 0.1
    shift = 0.5 * torch.rand(shape, generator=generator, dtype=torch.float64) - 0.25
    advantages = torch.randn(shape, generator=generator, dtype=torch.float64)
    ratio = shift.exp()
    assert ((ratio - 0.8).abs() > 1e-3).all()
    assert ((ratio - 1.28).abs() > 1e-3).all()
    objective = Objective(kl_coefficient=0.1, entropy_coefficient=0.2)

    def loss_of(log_probs_BT: Tensor, entropy_BT: Tensor) -> Tensor:
        return surrogate_loss(
            terms(
                log_probs_BT,
                log_probs.detach() - shift,
                advantages,
                weights_BT=torch.full(shape, 0.7, dtype=torch.float64),
                entropy_BT=entropy_BT,
                reference_log_probs_BT=log_probs.detach() + 0.3 * shift,
            ),
            objective,
        )[0]

    entropies = torch.rand(shape, generator=generator, dtype=torch.float64)
    inputs = (log_probs.clone().requires_grad_(), entropies.requires_grad_())
    assert torch.autograd.gradcheck(loss_of, inputs)


def test_terms_by_hand_a_penalty_for_drift_and_a_bonus_for_entropy() -> None:
    log_probs = row(math.log(0.5))
    given = {
        "entropy_BT": row(0.6),
        "reference_log_probs_BT": row(math.log(0.25)),
        "weights_BT": row(3.0),
    }
    plain, _ = surrogate_loss(terms(log_probs, log_probs, row(1.0), **given), Objective())
    assert plain.item() == pytest.approx(-3.0)
    drift = 0.5 - math.log(0.5) - 1.0
    objective = Objective(kl_coefficient=0.1, entropy_coefficient=0.01)
    both, statistics = surrogate_loss(terms(log_probs, log_probs, row(1.0), **given), objective)
    # The correction weighs the surrogate alone.
    assert both.item() == pytest.approx(-3.0 + 0.1 * drift - 0.01 * 0.6)
    assert statistics.named()["drift"] == pytest.approx(drift)
    assert statistics.named()["entropy"] == pytest.approx(0.6)


def test_drift_is_never_negative_and_its_mean_is_the_divergence() -> None:
    policy, reference = row(0.7, 0.2, 0.1), row(0.2, 0.3, 0.5)
    found = drift_k3(policy.log(), reference.log(), torch.ones(1, 3, dtype=torch.bool))
    assert (found > 0).all()
    expected = (policy * (policy / reference).log()).sum().item()
    assert (policy * found).sum().item() == pytest.approx(expected)


def test_what_lies_outside_the_mask_counts_for_nothing() -> None:
    mask = torch.tensor([[True, False, True]])
    filthy = row(-1.0, math.nan, -1.0).requires_grad_()
    others = row(-1.2, math.inf, -0.9)
    loss, statistics = surrogate_loss(
        terms(
            filthy, others, row(1.0, math.nan, -1.0), mask_BT=mask, weights_BT=row(1, math.nan, 1),
            token_weights_BT=row(0.5, math.inf, 0.5), entropy_BT=row(1.0, math.nan, 2.0),
            reference_log_probs_BT=row(-1.0, math.nan, -1.1),
        ),
        Objective(kl_coefficient=0.1, entropy_coefficient=0.1),
    )  # fmt: skip
    loss.backward()
    assert loss.isfinite()
    assert filthy.grad[0, 1].item() == 0.0
    assert filthy.grad.isfinite().all()
    named = statistics.named()
    assert named["num_tokens"] == 2
    assert all(math.isfinite(value) for value in named.values())
    assert named["entropy"] == pytest.approx(1.5)


def test_a_micro_batch_without_a_trained_token_has_a_loss_of_zero_with_a_gradient_of_zero() -> None:
    log_probs = row(-1.0, -1.0).requires_grad_()
    loss, statistics = surrogate_loss(
        terms(log_probs, log_probs.detach(), row(1.0, 1.0), mask_BT=torch.zeros(1, 2).bool()),
        Objective(),
    )
    loss.backward()
    assert loss.item() == 0.0
    assert log_probs.grad.tolist() == [[0.0, 0.0]]
    assert statistics.named()["num_tokens"] == 0


def test_statistics_by_hand_and_their_sum_over_micro_batches() -> None:
    ratios, advantages = row(1.5, 1.2, 0.5, 0.9, 0.5), row(1.0, 1.0, -1.0, -1.0, 1.0)
    weights = row(0.0, 2.0, 1.0, 1.0, 1.0)

    def counted(span: slice) -> Any:
        parts = [part[:, span] for part in (ratios.log(), torch.zeros(1, 5), advantages)]
        return surrogate_loss(terms(*parts, weights_BT=weights[:, span]), Objective())[1]

    whole = counted(slice(0, 5)).named()
    assert whole["clip_fraction_high"] == pytest.approx(0.2)
    assert whole["clip_fraction_low"] == pytest.approx(0.2)
    assert (whole["ratio_max"], whole["ratio_min"]) == pytest.approx((1.5, 0.5))
    assert whole["zero_weight_fraction"] == pytest.approx(0.2)
    assert whole["weight_mean"] == pytest.approx(1.0)
    parts = counted(slice(0, 2)) + counted(slice(2, 5))
    assert parts.named() == pytest.approx(whole)


def test_mismatch_by_hand() -> None:
    learner, behaviour = row(-1.0, -1.0, math.nan), row(-1.0 + math.log(2), -1.0, 0.0)
    mask = torch.tensor([[True, True, False]])
    found = count_mismatch(behaviour, learner, mask).named()
    gap = math.log(2)
    assert found["mismatch_k1"] == pytest.approx(gap / 2)
    assert found["mismatch_kl"] == pytest.approx((0.5 + gap - 1) / 2)
    assert found["mismatch_error"] == pytest.approx(0.5)
    assert found["mismatch_max"] == pytest.approx(gap)


def test_normalisers_by_hand_with_sequences_of_three_and_one() -> None:
    mask = torch.tensor([[True, True, True, False, True, False]])
    sequence = torch.tensor([[0, 0, 0, 0, 1, -1]])
    totals = StepTotals(num_tokens=10, num_sequences=5, num_micro_batches=4, constant_tokens=100)

    def found(normaliser: Normaliser) -> list[float]:
        weights = token_weights(mask, sequence, totals, normaliser=normaliser)
        return [round(value, 9) for value in weights[0].tolist()]

    assert found(Normaliser.GLOBAL_TOKEN) == [0.1, 0.1, 0.1, 0, 0.1, 0]
    assert found(Normaliser.CONSTANT) == [0.002, 0.002, 0.002, 0, 0.002, 0]
    third = round(1 / 15, 9)
    assert found(Normaliser.SEQUENCE_MEAN) == [third, third, third, 0, 0.2, 0]
    assert found(Normaliser.AS_SHIPPED) == [0.0625, 0.0625, 0.0625, 0, 0.0625, 0]


def test_a_step_that_trains_nothing_is_refused_before_it_divides_by_zero() -> None:
    with pytest.raises(BatchInvalid, match="skipped"):
        StepTotals(num_tokens=0, num_sequences=0)


@pytest.mark.parametrize(
    "constants",
    [{"clip_low": 1.5}, {"clip_high": 0.0}, {"kl_coefficient": -1}, {"entropy_coefficient": -1}],
)
def test_constants_that_turn_the_objective_around_are_refused(constants: dict[str, float]) -> None:
    with pytest.raises(ObjectiveInvalid):
        Objective(**constants)


def test_a_term_without_what_it_is_made_of_is_refused() -> None:
    for name in ("kl_coefficient", "entropy_coefficient"):
        with pytest.raises(ObjectiveInvalid, match=name):
            surrogate_loss(terms(row(-1.0), row(-1.0), row(1.0)), Objective(**{name: 0.1}))
