"""Layouts mean the same, whatever the split: rows by hand, micro-batches by property, gradients by model."""

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from trainer.errors import BatchInvalid
from trainer.importance import Correction
from trainer.micro_batches import Split, split_packed, split_padded
from trainer.normaliser import Normaliser
from trainer.packing import NO_SEQUENCE, Sample, pack, pad


def sample(prompt: Sequence[int], answer: Sequence[int], **given: Any) -> Sample:
    fields: dict[str, Any] = {
        "behaviour_log_probs": [-0.5 - 0.1 * place for place in range(len(answer))],
        "policy_versions": [3] * len(answer),
        "advantage": 1.0,
    }
    return Sample(prompt_ids=prompt, answer_ids=answer, **(fields | given))


def test_a_packed_row_by_hand() -> None:
    samples = [sample([5, 6], [7, 8]), sample([9], [4], advantage=-2.0, policy_versions=[2])]
    row = pack(samples, [0, 1], multiple=4)
    assert row.token_ids_BT.tolist() == [[5, 6, 7, 8, 9, 4, 0, 0]]
    assert row.position_ids_BT.tolist() == [[0, 1, 2, 3, 0, 1, 0, 1]]
    assert row.sequence_BT.tolist() == [[0, 0, 0, 0, 1, 1, NO_SEQUENCE, NO_SEQUENCE]]
    # Each trained position predicts the token after it.
    assert row.mask_BT.nonzero()[:, 1].tolist() == [1, 2, 4]
    assert row.targets_BT[row.mask_BT].tolist() == [7, 8, 4]
    assert row.behaviour_log_probs_BT[row.mask_BT].tolist() == pytest.approx([-0.5, -0.6, -0.5])
    assert row.advantages_BT[row.mask_BT].tolist() == [1.0, 1.0, -2.0]
    assert row.versions_BT[row.mask_BT].tolist() == [3, 3, 2]
    assert row.sample_index_S.tolist() == [0, 1]


def test_padded_rows_by_hand() -> None:
    samples = [sample([5, 6], [7, 8]), sample([9], [4])]
    rows = pad(samples, [1, 0])
    assert rows.token_ids_BT.tolist() == [[9, 4, 0, 0], [5, 6, 7, 8]]
    assert rows.position_ids_BT.tolist() == [[0, 1, 2, 3]] * 2
    assert rows.mask_BT.tolist() == [[True, False, False, False], [False, True, True, False]]
    assert rows.sample_index_S.tolist() == [1, 0]


def test_an_untrained_sample_has_no_trained_position() -> None:
    assert not pack([sample([5], [6], is_trained=False)], [0]).mask_BT.any()


def test_a_rank_without_samples_gets_a_row_that_trains_nothing() -> None:
    for layout in (pack, pad):
        row = layout([], [], multiple=8)
        assert row.token_ids_BT.shape == (1, 8)
        assert not row.mask_BT.any()
        assert layout([], []).token_ids_BT.shape == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"behaviour_log_probs": [-0.5]},
        {"policy_versions": [3]},
        {"behaviour_log_probs": [-0.5, math.nan]},
        {"behaviour_log_probs": [-math.inf, -0.5]},
        {"behaviour_log_probs": [0.7, -0.5]},
        {"advantage": math.nan},
    ],
)
def test_what_the_sampler_told_wrongly_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BatchInvalid):
        sample([5], [6, 7], **wrong)


def test_an_answer_without_a_token_is_refused() -> None:
    with pytest.raises(BatchInvalid, match="0 answer tokens"):
        sample([5], [])


LAYOUTS = [
    ("one packed row", pack, [range(6)]),
    ("one padded batch", pad, [range(6)]),
    ("packed and rounded up", lambda s, i: pack(s, i, multiple=16), [range(6)]),
    ("padded and rounded up", lambda s, i: pad(s, i, multiple=16), [range(6)]),
    ("packed micro-batches", pack, [[5, 0], [1], [3, 2, 4]]),
    ("padded micro-batches", pad, [[5, 0], [1], [3, 2, 4]]),
    ("one sample each", pack, [[place] for place in range(6)]),
    ("with an empty micro-batch", pack, [[0, 1, 2], [], [3, 4, 5]]),
]


@pytest.fixture
def hand_built() -> list[Sample]:
    """Six samples of unequal lengths, one untrained; log-probs on both sides of the clip."""
    chooser = random.Random(11)
    return [
        sample(
            [chooser.randrange(2, 16) for _ in range(num_prompt)],
            [chooser.randrange(2, 16) for _ in range(num_answer)],
            behaviour_log_probs=[-chooser.uniform(1.5, 4.0) for _ in range(num_answer)],
            advantage=advantage,
            is_trained=place != 4,
        )
        for place, (num_prompt, num_answer, advantage) in enumerate(
            [(3, 5, 1.2), (1, 2, -0.7), (4, 1, 0.0), (2, 6, -1.0), (2, 3, 9.0), (5, 4, 0.4)]
        )
    ]


@pytest.mark.parametrize("normaliser", [one for one in Normaliser if one != "as_shipped"])
def test_loss_and_gradients_do_not_depend_on_layout_or_split(
    normaliser: Normaliser,
    hand_built: list[Sample],
    tiny_model: Callable[..., Any],
    learner_step: Any,
) -> None:
    model = tiny_model(num_hidden_layers=2)
    chooser = random.Random(2)
    proximal = [
        [value + shift + chooser.uniform(-0.002, 0.002) for value in one.behaviour_log_probs]
        for one, shift in zip(hand_built, (0.1, 0, 0, 0, 0, -0.1), strict=True)
    ]
    found = {
        name: learner_step(
            model, hand_built, split, layout=layout, normaliser=normaliser,
            correction=Correction.GEOMETRIC_MASK, proximal=proximal,
        )
        for name, layout, split in LAYOUTS
    }  # fmt: skip
    loss, statistics, gradients = found["one sample each"]
    assert abs(loss) > 1e-3
    assert statistics["clip_fraction_low"] > 0 < statistics["clip_fraction_high"]
    assert 0 < statistics["zero_weight_fraction"] < 1
    for name, (other_loss, other_statistics, other_gradients) in found.items():
        assert other_loss == pytest.approx(loss, rel=1e-10), name
        assert other_statistics == pytest.approx(statistics, rel=1e-9), name
        for parameter, gradient in gradients.items():
            torch.testing.assert_close(other_gradients[parameter], gradient, rtol=1e-8, atol=1e-12)


def test_the_step_is_that_of_full_logits_and_a_loop_over_tokens(
    hand_built: list[Sample], tiny_model: Callable[..., Any], learner_step: Any
) -> None:
    model = tiny_model()
    loss, _, gradients = learner_step(model, hand_built, [range(6)])
    model.zero_grad()
    gains, num_tokens = [], 0
    for one in hand_built:
        if not one.is_trained:
            continue
        tokens = torch.tensor([[*one.prompt_ids, *one.answer_ids]])
        log_probs_TV = (model(input_ids=tokens).logits[0] / 0.6).log_softmax(dim=1)
        for place, token in enumerate(one.answer_ids):
            ratio = torch.exp(
                log_probs_TV[len(one.prompt_ids) - 1 + place, token]
                - one.behaviour_log_probs[place]
            )
            pair = ratio * one.advantage, ratio.clamp(0.8, 1.28) * one.advantage
            gains.append(min(pair, key=lambda gain: gain.item()))
            num_tokens += 1
    expected = -sum(gains) / num_tokens
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-10)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-8, atol=1e-12)


def test_as_shipped_depends_on_the_split_which_is_why_it_is_no_default(
    hand_built: list[Sample], tiny_model: Callable[..., Any], learner_step: Any
) -> None:
    model = tiny_model()
    splits = [[range(6)], [[0, 1, 2], [3, 4, 5]], [[0], [1, 2, 3, 4, 5]]]
    losses = [
        learner_step(model, hand_built, split, normaliser=Normaliser.AS_SHIPPED)[0]
        for split in splits
    ]
    assert len({round(loss, 6) for loss in losses}) == 3
    one, _, _ = learner_step(model, hand_built, splits[0])
    assert losses[0] == pytest.approx(one)


def random_lengths(seed: int, count: int) -> list[int]:
    chooser = random.Random(seed)
    return [min(1000, int(chooser.lognormvariate(5, 1)) + 1) for _ in range(count)]


def test_every_sample_is_in_one_micro_batch_within_the_budget_and_ranks_have_equally_many() -> None:
    cases = itertools.product(
        (split_packed, split_padded), enumerate((0, 1, 3, 50, 257)), (1, 2, 7)
    )
    for split, (seed, count), num_ranks in cases:
        lengths, budget = random_lengths(seed, count), 2048
        found: Split = split(lengths, num_ranks=num_ranks, budget_tokens=budget)
        assert len(found) == num_ranks
        assert len({len(rank) for rank in found}) == 1
        assert len(found[0]) >= 1
        assert sorted(itertools.chain(*itertools.chain(*found))) == list(range(count))
        for micro_batch in itertools.chain(*found):
            inside = [lengths[index] for index in micro_batch]
            rows = max(inside, default=0) * len(inside)
            assert (sum(inside) if split is split_packed else rows) <= budget
        assert split(lengths, num_ranks=num_ranks, budget_tokens=budget) == found


def test_ranks_and_what_runs_together_cost_about_the_same() -> None:
    lengths = random_lengths(9, 400)
    found = split_packed(lengths, num_ranks=4, budget_tokens=4096)
    cost = [[sum(lengths[index] ** 2 for index in one) for one in rank] for rank in found]
    totals = [sum(rank) for rank in cost]
    assert max(totals) < 1.01 * min(totals)
    for together in zip(*cost, strict=True):
        assert max(together) < 1.05 * min(together)


def test_no_more_micro_batches_than_a_tenth_above_what_the_budget_asks_for() -> None:
    lengths = random_lengths(9, 400)
    found = split_packed(lengths, num_ranks=2, budget_tokens=4096)
    assert len(found[0]) <= math.ceil(1.1 * sum(lengths) / (2 * 4096))


def test_linear_work_is_balanced_where_it_is_told() -> None:
    # One long sample costs as much attention as sixteen short ones, but far fewer other operations.
    lengths = [400] + [100] * 28
    squares = split_packed(lengths, num_ranks=2, budget_tokens=4000)
    mixed = split_packed(lengths, num_ranks=2, budget_tokens=4000, linear_tokens=10_000)

    def tokens(split: Split) -> list[int]:
        return sorted(sum(lengths[index] for one in rank for index in one) for rank in split)

    assert tokens(squares)[1] - tokens(squares)[0] > 1000
    assert tokens(mixed)[1] - tokens(mixed)[0] <= 100


def test_a_sample_past_the_budget_is_refused() -> None:
    for split in (split_packed, split_padded):
        with pytest.raises(BatchInvalid, match="3000 tokens and a micro-batch holds 2048"):
            split([5, 3000], num_ranks=1, budget_tokens=2048)
