"""Advantages by hand and by closed form, dead groups, groups with holes, and both overlong filters."""

import math

import pytest
import torch

from trainer.advantage import AdvantageKind, group_advantages
from trainer.errors import GroupInvalid
from trainer.overlong import OverlongFilter, filter_overlong

ONE_OF_EIGHT = torch.tensor([[1.0, 0, 0, 0, 0, 0, 0, 0]], dtype=torch.float64)
KINDS = tuple(AdvantageKind)


def test_one_of_eight_right_is_the_worked_example() -> None:
    advantages = group_advantages(ONE_OF_EIGHT, kind=AdvantageKind.STD_SCALED).advantages_PG[0]
    assert round(advantages[0].item(), 3) == 2.475
    assert {round(value, 3) for value in advantages[1:].tolist()} == {-0.354}


def test_std_scaled_advantages_have_their_closed_form_for_every_count_of_right_samples() -> None:
    size = 8
    for right in range(1, size):
        rewards_PG = torch.zeros(1, size, dtype=torch.float64)
        rewards_PG[0, :right] = 1
        share, bessel = right / size, (size - 1) / size
        found = group_advantages(rewards_PG, kind=AdvantageKind.STD_SCALED).advantages_PG[0]
        assert found[0].item() == pytest.approx(math.sqrt((1 - share) / share * bessel), rel=1e-5)
        assert found[-1].item() == pytest.approx(-math.sqrt(share / (1 - share) * bessel), rel=1e-5)


def test_centred_and_leave_one_out_by_hand() -> None:
    rewards_PG = torch.tensor([[1.0, 0.0, 0.5]], dtype=torch.float64)
    centred = group_advantages(rewards_PG, kind=AdvantageKind.CENTRED).advantages_PG
    assert centred.tolist() == [[0.5, -0.5, 0.0]]
    left_out = group_advantages(rewards_PG, kind=AdvantageKind.LEAVE_ONE_OUT).advantages_PG
    assert left_out.tolist() == [[0.75, -0.75, 0.0]]


def test_a_group_of_equal_rewards_is_dead_and_moves_nothing() -> None:
    # The float32 mean of eight times 0.35 is not 0.35.
    rewards_PG = torch.tensor([[0.35] * 8, [0.0] * 8, [1.0] * 8, [1.0] + [0.0] * 7])
    for kind in KINDS:
        found = group_advantages(rewards_PG, kind=kind)
        assert found.is_dead_P.tolist() == [True, True, True, False]
        assert (found.advantages_PG[:3] == 0).all()
        assert found.advantages_PG.isfinite().all()
        assert (found.advantages_PG[3] != 0).all()


def test_an_excluded_sample_is_as_if_it_had_not_been_drawn() -> None:
    holes_PG = torch.tensor([[1.0, math.nan, 0.0, 0.0, 1e9]])
    is_counted_PG = torch.tensor([[True, False, True, True, False]])
    for kind in KINDS:
        found = group_advantages(holes_PG, is_counted_PG, kind=kind)
        alone = group_advantages(torch.tensor([[1.0, 0.0, 0.0]]), kind=kind)
        assert found.num_counted_P.tolist() == [3]
        torch.testing.assert_close(found.advantages_PG[is_counted_PG], alone.advantages_PG[0])
        assert (found.advantages_PG[~is_counted_PG] == 0).all()


def test_a_group_left_with_one_sample_or_none_is_dead() -> None:
    is_counted_PG = torch.tensor([[True, False], [False, False], [True, True]])
    for kind in KINDS:
        found = group_advantages(torch.tensor([[1.0, 0.0]] * 3), is_counted_PG, kind=kind)
        assert found.is_dead_P.tolist() == [True, True, False]
        assert (found.advantages_PG[:2] == 0).all()


def test_a_group_of_one_is_refused() -> None:
    with pytest.raises(GroupInvalid, match="group size is 1"):
        group_advantages(torch.tensor([[1.0]]), kind=AdvantageKind.CENTRED)


def test_a_counted_reward_that_is_no_number_is_refused_by_its_place() -> None:
    with pytest.raises(GroupInvalid, match="sample 1 of prompt 0 is nan"):
        group_advantages(torch.tensor([[1.0, math.nan]]), kind=AdvantageKind.CENTRED)


def test_the_order_within_a_group_does_not_matter() -> None:
    rewards_PG = torch.tensor([[0.0, 1.0, 0.25, 0.5]], dtype=torch.float64)
    order = [2, 0, 3, 1]
    for kind in KINDS:
        straight = group_advantages(rewards_PG, kind=kind).advantages_PG
        mixed = group_advantages(rewards_PG[:, order], kind=kind).advantages_PG
        torch.testing.assert_close(straight[:, order], mixed)


def test_overlong_filters_differ_as_named() -> None:
    rewards_PG = torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    advantages_PG = torch.tensor([[-1.0, 1.0, -1.0, 1.0]])
    is_truncated_PG = torch.tensor([[True, True, False, False]])

    def found(overlong: OverlongFilter) -> tuple[list[float], list[bool]]:
        filtered = filter_overlong(advantages_PG, rewards_PG, is_truncated_PG, overlong=overlong)
        return filtered.advantages_PG[0].tolist(), filtered.is_trained_PG[0].tolist()

    assert found(OverlongFilter.OFF) == ([-1, 1, -1, 1], [True] * 4)
    # As shipped: the tokens stay in the denominator, and a right answer teaches though it was cut.
    assert found(OverlongFilter.ZERO_ADVANTAGE) == ([0, 1, -1, 1], [True] * 4)
    assert found(OverlongFilter.MASK_TOKENS)[1] == [False, False, True, True]
