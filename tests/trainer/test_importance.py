"""Corrections by hand on three sequences, and the bound on staleness."""

import math

import pytest
import torch

from trainer.errors import ObjectiveInvalid, TooStale
from trainer.importance import Corrected, Correction, CorrectionBounds, bounded_ratio, correct
from trainer.staleness import staleness_histogram, token_staleness

# Two sequences and padding in one row; what lies outside the mask is not to be met.
MASK = torch.tensor([[True, True, False, True, True, False]])
SEQUENCE = torch.tensor([[0, 0, 0, 1, 1, -1]])
BEHAVIOUR = torch.tensor([[-1.0, -1.0, math.nan, -1.0, -1.0, math.nan]], dtype=torch.float64)
FACTORS = torch.tensor([[4.0, 0.25, 9.0, 1.005, 1.0, 9.0]], dtype=torch.float64)
PROXIMAL = BEHAVIOUR + FACTORS.log()


def corrected(correction: Correction, **bounds: float) -> Corrected:
    return correct(
        BEHAVIOUR, PROXIMAL, MASK, SEQUENCE,
        correction=correction, bounds=CorrectionBounds(**bounds),
    )  # fmt: skip


def weights(correction: Correction, **bounds: float) -> list[float]:
    found = corrected(correction, **bounds).weights_BT[MASK]
    return [round(value, 9) for value in found.tolist()]


def test_weights_by_hand() -> None:
    assert weights(Correction.NONE) == [1, 1, 1, 1]
    assert weights(Correction.RECOMPUTED) == [1, 1, 1, 1]
    assert weights(Correction.TRUNCATED_TOKEN) == [2, 0.25, 1.005, 1]
    assert weights(Correction.TRUNCATED_TOKEN, cap=3.0) == [3, 0.25, 1.005, 1]
    assert weights(Correction.DECOUPLED) == [4, 0.25, 1.005, 1]


def test_geometric_mask_judges_a_sequence_by_its_mean_and_not_by_its_tokens() -> None:
    # 4 and 1/4 cancel: the first sequence stays, though its tokens are far off.
    assert weights(Correction.GEOMETRIC_MASK) == [1, 1, 1, 1]
    assert weights(Correction.GEOMETRIC_MASK, high=1.002) == [1, 1, 0, 0]
    behaviour = PROXIMAL - torch.tensor([[0.1, 0.1, 0.1, 0.0, 0.0, 0.0]])
    found = correct(
        behaviour, PROXIMAL, MASK, SEQUENCE,
        correction=Correction.GEOMETRIC_MASK, bounds=CorrectionBounds(),
    )  # fmt: skip
    assert found.weights_BT[MASK].tolist() == [0, 0, 1, 1]
    found = correct(
        PROXIMAL, behaviour, MASK, SEQUENCE,
        correction=Correction.GEOMETRIC_MASK, bounds=CorrectionBounds(),
    )  # fmt: skip
    assert found.weights_BT[MASK].tolist() == [0, 0, 1, 1]


def test_the_clip_is_centred_on_the_sampler_only_without_correction() -> None:
    for correction in Correction:
        centre = corrected(correction).centre_log_probs_BT[MASK]
        expected = BEHAVIOUR if correction is Correction.NONE else PROXIMAL
        assert torch.equal(centre, expected[MASK])


def test_neither_centre_nor_weight_has_a_gradient() -> None:
    proximal = PROXIMAL.clone().requires_grad_()
    for correction in Correction:
        found = correct(
            BEHAVIOUR.clone().requires_grad_(), proximal, MASK, SEQUENCE,
            correction=correction, bounds=CorrectionBounds(),
        )  # fmt: skip
        assert not found.centre_log_probs_BT.requires_grad
        assert not found.weights_BT.requires_grad


def test_a_correction_without_proximal_log_probs_is_refused() -> None:
    with pytest.raises(ObjectiveInvalid, match="decoupled"):
        correct(
            BEHAVIOUR, None, MASK, SEQUENCE,
            correction=Correction.DECOUPLED, bounds=CorrectionBounds(),
        )  # fmt: skip


@pytest.mark.parametrize("bounds", [{"cap": 0.5}, {"low": 1.1}, {"high": 0.9}, {"cap": math.inf}])
def test_bounds_that_would_change_equal_policies_are_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(ObjectiveInvalid):
        CorrectionBounds(**bounds)


def test_ratio_is_new_over_old_and_stays_finite() -> None:
    new, old = torch.tensor([[-1.0, 0.0, -500.0]]), torch.tensor([[-2.0, -500.0, 0.0]])
    found = bounded_ratio(new, old, torch.ones(1, 3, dtype=torch.bool))
    assert found[0, 0].item() == pytest.approx(math.e)
    assert found.isfinite().all()
    assert (found > 0).all()


def test_staleness_is_told_for_each_token() -> None:
    versions = torch.tensor([[7, 6, 0, 7, 5, 99]])
    found = token_staleness(versions, MASK, learner_version=7, bound=2)
    assert found.tolist() == [[0, 1, 0, 0, 2, 0]]
    assert staleness_histogram(found, MASK, bound=2).tolist() == [2, 1, 1]


def test_a_token_past_the_bound_or_ahead_of_the_learner_is_refused() -> None:
    versions = torch.tensor([[7, 6, 0, 7, 5, 99]])
    with pytest.raises(TooStale, match="staleness 2 is past the bound 1"):
        token_staleness(versions, MASK, learner_version=7, bound=1)
    with pytest.raises(TooStale, match="cannot be ahead"):
        token_staleness(versions, MASK, learner_version=6, bound=9)
