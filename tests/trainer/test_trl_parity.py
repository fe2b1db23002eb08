"""Loss and every parameter's gradient are TRL's on a hand-built batch.

golden/trl.json was made by golden/make_trl.py with trl 1.16.0 (GRPOTrainer, float64, temperature 0.6,
epsilon 0.2, epsilon_high 0.28, everything in one micro-batch). Its cases by name: loss_type dapo, bnpo,
grpo, dr_grpo with scale_rewards none, mask_truncated_completions, beta 0.1 with
use_bias_correction_kl off, entropy_coef 0.05,
token_truncate at 2.0. The batch has tokens clipped by either sign, a group of equal rewards and a
truncated answer. TRL's advantages go in where losses are compared, for it adds 1e-4 to the deviation.
"""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

from trainer.advantage import DEVIATION_FLOOR, AdvantageKind, group_advantages
from trainer.importance import Correction
from trainer.normaliser import Normaliser, StepTotals
from trainer.overlong import OverlongFilter, filter_overlong
from trainer.packing import Sample, pack, pad
from trainer.surrogate import Objective

GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden" / "trl.json").read_text())
NORMALISERS = {
    "bnpo": Normaliser.AS_SHIPPED,
    "grpo": Normaliser.SEQUENCE_MEAN,
    "dr_grpo": Normaliser.CONSTANT,
}
TRL_DEVIATION_FLOOR = 1e-4


def is_truncated() -> list[bool]:
    return [answer[-1] != GOLDEN["end"] for answer in GOLDEN["answers"]]


def samples_of(case: dict[str, Any], log_probs: str) -> list[Sample]:
    masked = case["settings"].get("mask_truncated_completions", False)
    return [
        Sample(
            prompt_ids=GOLDEN["prompts"][place // 4],
            answer_ids=answer,
            behaviour_log_probs=GOLDEN[log_probs][place],
            policy_versions=[0] * len(answer),
            advantage=case["advantages"][place],
            is_trained=not (masked and is_truncated()[place]),
        )
        for place, answer in enumerate(GOLDEN["answers"])
    ]


@pytest.mark.parametrize("layout", [pack, pad])
@pytest.mark.parametrize("name", GOLDEN["cases"])
def test_loss_and_gradients_are_those_of_trl(
    name: str, layout: Any, tiny_model: Callable[..., Any], learner_step: Any
) -> None:
    case = GOLDEN["cases"][name]
    corrected = name == "truncated_token"
    samples = samples_of(case, "sampling" if corrected else "old")
    loss, statistics, gradients = learner_step(
        tiny_model(**GOLDEN["config"]),
        samples,
        [range(12)],
        layout=layout,
        objective=Objective(
            kl_coefficient=case["settings"].get("beta", 0.0),
            entropy_coefficient=case["settings"].get("entropy_coef", 0.0),
        ),
        normaliser=NORMALISERS.get(name, Normaliser.GLOBAL_TOKEN),
        totals=StepTotals(
            num_tokens=case["num_items"], num_sequences=12, constant_tokens=GOLDEN["limit"]
        ),
        correction=Correction.TRUNCATED_TOKEN if corrected else Correction.NONE,
        proximal=GOLDEN["old"] if corrected else None,
        reference=GOLDEN["reference"] if "beta" in case["settings"] else None,
        temperature=GOLDEN["temperature"],
    )
    assert abs(loss) > 1e-3
    assert loss == pytest.approx(case["loss"], rel=3e-6)
    for parameter, expected in case["gradients"].items():
        # TRL's output layer works in float32 whatever the model does.
        torch.testing.assert_close(
            gradients[parameter].flatten(), torch.tensor(expected), rtol=1e-5, atol=1e-7
        )
    assert sum(map(abs, case["gradients"]["lm_head.weight"])) > 1e-3
    metrics = case["metrics"]
    assert statistics["clip_fraction_low"] == pytest.approx(metrics["clip_ratio/low_mean"])
    assert statistics["clip_fraction_high"] == pytest.approx(metrics["clip_ratio/high_mean"])
    assert statistics["clip_fraction_low"] > 0 < statistics["clip_fraction_high"]
    assert statistics["entropy"] == pytest.approx(metrics["entropy"], rel=1e-6)
    assert statistics["drift"] == pytest.approx(metrics.get("kl", 0.0), rel=1e-6)


def test_advantages_are_those_of_trl_but_for_its_larger_floor() -> None:
    rewards_PG = torch.tensor(GOLDEN["rewards"], dtype=torch.float64).view(3, 4)
    deviation_PG = rewards_PG.std(dim=1, keepdim=True)
    scaled_PG = group_advantages(rewards_PG, kind=AdvantageKind.STD_SCALED).advantages_PG
    scaled_PG *= (deviation_PG + DEVIATION_FLOOR) / (deviation_PG + TRL_DEVIATION_FLOOR)
    centred_PG = group_advantages(rewards_PG, kind=AdvantageKind.CENTRED).advantages_PG
    for name, found_PG in (("dapo", scaled_PG), ("dr_grpo", centred_PG)):
        expected_PG = torch.tensor(GOLDEN["cases"][name]["advantages"]).double().view(3, 4)
        torch.testing.assert_close(found_PG, expected_PG, rtol=1e-6, atol=1e-7)


def test_masking_of_truncated_answers_leaves_out_the_tokens_that_trl_leaves_out() -> None:
    shape = (3, 4)
    filtered = filter_overlong(
        torch.ones(shape),
        torch.tensor(GOLDEN["rewards"]).view(shape),
        torch.tensor(is_truncated()).view(shape),
        overlong=OverlongFilter.MASK_TOKENS,
    )
    lengths_PG = torch.tensor([len(answer) for answer in GOLDEN["answers"]]).view(shape)
    num_tokens = int(lengths_PG[filtered.is_trained_PG].sum())
    assert num_tokens == GOLDEN["cases"]["mask_truncated"]["num_items"]
    assert num_tokens < GOLDEN["cases"]["dapo"]["num_items"]
