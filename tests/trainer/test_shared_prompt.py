"""Answers that share their prompt's row mean what they mean alone, and cost less."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.block_attention import Block, attend
from trainer.learner_step import StepWork, accumulate, deal, step_totals
from trainer.packing import NO_SEQUENCE, Sample
from trainer.policy_model import Scorer, load_network
from trainer.policy_options import Layout, PolicyOptions
from trainer.shared_prompt import lay_out, plan_sections, section_length


def sample(prompt: list[int], answer: list[int], advantage: float = 1.0) -> Sample:
    return Sample(
        prompt_ids=prompt,
        answer_ids=answer,
        behaviour_log_probs=[-0.5 - 0.1 * place for place in range(len(answer))],
        policy_versions=[3] * len(answer),
        advantage=advantage,
    )


def test_a_row_by_hand() -> None:
    samples = [sample([1, 2, 3], [4, 5]), sample([1, 2, 3], [6], -2.0), sample([8, 9], [7])]
    row = lay_out(samples, [(0, 1), (2,)], multiple=3)
    assert row.token_ids_BT.tolist() == [[1, 2, 3, 4, 3, 0, 8, 9, 0]]
    assert row.position_ids_BT.tolist() == [[0, 1, 2, 3, 2, 0, 0, 1, 0]]
    assert row.mask_BT[0].nonzero().squeeze(1).tolist() == [2, 3, 4, 7]
    assert row.sequence_BT[row.mask_BT].tolist() == [0, 0, 1, 2]
    assert row.sequence_BT[0, [5, 8]].tolist() == [NO_SEQUENCE] * 2
    assert row.targets_BT[row.mask_BT].tolist() == [4, 5, 6, 7]
    assert row.advantages_BT[row.mask_BT].tolist() == [1.0, 1.0, -2.0, 1.0]
    assert row.behaviour_log_probs_BT[row.mask_BT].tolist() == pytest.approx(
        [-0.5, -0.6, -0.5, -0.5]
    )
    assert row.blocks is not None
    assert [(block.start, block.end) for block in row.blocks] == [(0, 6), (6, 9)]
    assert row.blocks[0].hidden_TT is not None
    assert row.blocks[0].hidden_TT.int().tolist() == [
        [0, 1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 1],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 1, 1, 0, 1],
        [0, 0, 1, 1, 1, 0],
    ]
    assert row.blocks[1].hidden_TT is None


def test_a_prompt_of_one_token_is_shared_too() -> None:
    samples = [sample([1], [4, 5]), sample([1], [6])]
    row = lay_out(samples, [(0, 1)])
    assert row.token_ids_BT.tolist() == [[1, 4, 1]]
    assert row.targets_BT.tolist() == [[4, 5, 6]]


def test_without_sections_it_is_a_row_that_trains_nothing() -> None:
    row = lay_out([], [], multiple=8)
    assert row.token_ids_BT.shape == (1, 8)
    assert not row.mask_BT.any()


def test_short_answers_share_and_long_ones_stay_alone() -> None:
    short = [sample([1] * 116, [2] * 25) for _ in range(8)]
    long = [sample([1] * 116, [2] * 3000) for _ in range(8)]
    options: dict[str, Any] = {"budget_tokens": 8192, "linear_tokens": 3456}
    (together,) = plan_sections(short, range(8), **options)
    assert sum(one.num_tokens for one in short) > 3.5 * section_length(short, together)
    assert [len(one) for one in plan_sections(long, range(8), **options)] == [1] * 8
    mixed = plan_sections([*short, *long], range(16), **options)
    assert sorted(len(one) for one in mixed) == [1] * 8 + [8]


def test_a_section_stays_within_the_budget() -> None:
    samples = [sample([1] * 50, [2] * 20) for _ in range(10)]
    sections = plan_sections(samples, range(10), budget_tokens=128, linear_tokens=3456)
    assert max(section_length(samples, one) for one in sections) <= 128
    assert sorted(index for one in sections for index in one) == list(range(10))


@pytest.mark.parametrize("is_checkpointing", [False, True])
def test_losses_and_gradients_are_those_of_padded_and_packed_rows(
    is_checkpointing: bool, tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    found = {}
    for layout in Layout:
        for budget in (64, 1024):
            options = PolicyOptions(
                layout=layout,
                tokens_per_micro_batch=budget,
                is_checkpointing=is_checkpointing,
                max_staleness=0,
            )
            network = load_network(tiny_folder, options, dtype=torch.float64)
            dealt = deal(batches[0], range(12), options, linear_tokens=192, layout=layout)
            work = StepWork(
                micro_batches=[dealt.micro_batch(batches[0], one) for one in dealt.split[0]],
                totals=step_totals(batches[0], options, len(dealt.split[0])),
                learner_version=0,
            )
            sums = accumulate(Scorer(network), work, options, device=torch.device("cpu"))
            gradients = {name: one.grad for name, one in network.named_parameters()}
            found[layout, budget] = sums, gradients
    sums, gradients = found[Layout.PADDED, 1024]
    assert abs(float(sums.loss)) > 1e-3
    fewer = found[Layout.SHARED, 1024][0].num_fed_tokens
    assert fewer < min(sums.num_fed_tokens, found[Layout.PACKED, 1024][0].num_fed_tokens)
    for key, (other, other_gradients) in found.items():
        assert float(other.loss) == pytest.approx(float(sums.loss), rel=1e-6), key
        for name, gradient in gradients.items():
            torch.testing.assert_close(other_gradients[name], gradient, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("num_key_heads", [1, 2, 4])
@pytest.mark.parametrize("length", [40, 1100])
def test_products_in_bfloat16_are_the_attention_of_float64(num_key_heads: int, length: int) -> None:
    generator = torch.Generator().manual_seed(3)
    query, key, value, grad = (
        torch.randn(1, heads, length, 16, generator=generator, dtype=torch.float64)
        for heads in (4, num_key_heads, num_key_heads, 4)
    )
    hidden_TT = torch.ones(30, 30, dtype=torch.bool).triu(1)
    hidden_TT[20:, 10:20] = True
    blocks = [Block(start=0, end=30, hidden_TT=hidden_TT), Block(start=30, end=length)]
    found = {}
    for dtype in (torch.float64, torch.bfloat16):
        given = [one.to(dtype).detach().requires_grad_() for one in (query, key, value)]
        answer, _ = attend(None, given[0], given[1], given[2], None, blocks=blocks)
        answer.backward(grad.transpose(1, 2).to(dtype))
        found[dtype] = [answer.detach(), *(one.grad for one in given)]
    for exact, rounded in zip(found[torch.float64], found[torch.bfloat16], strict=True):
        assert exact is not None
        assert rounded is not None
        assert float((rounded.double() - exact).norm() / exact.norm()) < 0.01


def test_a_sample_of_another_prompt_is_not_seen(
    tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    options = PolicyOptions()
    scorer = Scorer(load_network(tiny_folder, options, dtype=torch.float64))
    first, other = batches[0][0], batches[0][4]
    changed = dataclasses.replace(other, answer_ids=[1 + token % 60 for token in other.answer_ids])
    with torch.no_grad():
        rows = [scorer(lay_out([first, last], [(0,), (1,)]), 0.6)[0] for last in (other, changed)]
    num_first = first.num_tokens - 1
    assert torch.equal(rows[0][:, :num_first], rows[1][:, :num_first])
    assert not torch.equal(rows[0], rows[1])
