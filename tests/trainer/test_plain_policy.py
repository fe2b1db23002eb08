"""A policy in one process: what a step changes, what it leaves alone, what is published and resumed."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
import torch

from server.model_manifest import verify
from trainer.errors import BatchInvalid, CheckpointInvalid, ModelUnfit, StepInvalid, TooStale
from trainer.importance import Correction
from trainer.packing import Sample
from trainer.plain_policy import PlainPolicy
from trainer.policy_options import Compute, LoraOptions, PolicyOptions
from trainer.surrogate import Objective

OPTIONS = PolicyOptions(
    learning_rate=1e-3, warm_up_steps=2, tokens_per_micro_batch=64, device="cpu", max_staleness=1
)
FLOAT32 = dataclasses.replace(OPTIONS, compute=Compute.FLOAT32)
LORA = dataclasses.replace(OPTIONS, lora=LoraOptions(rank=4, alpha=8))


def weights(policy: PlainPolicy) -> dict[str, Any]:
    """A copy of everything that a state has."""
    file = io.BytesIO()
    torch.save(policy.state(), file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file)
    return loaded


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return torch.equal(left, right) if isinstance(left, torch.Tensor) else bool(left == right)


@pytest.mark.parametrize("options", [OPTIONS, FLOAT32, LORA])
def test_steps_make_good_answers_likelier_and_bad_ones_less_likely(
    options: PolicyOptions, tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    policy = PlainPolicy(tiny_folder, dataclasses.replace(options, learning_rate=1e-2))

    def gaps() -> tuple[float, float]:
        rows = policy.log_probs(batches[0], 0.6)
        good = [sum(row) for row, one in zip(rows, batches[0], strict=True) if one.advantage > 0]
        bad = [sum(row) for row, one in zip(rows, batches[0], strict=True) if one.advantage < 0]
        return sum(good) / len(good), sum(bad) / len(bad)

    before = gaps()
    for _ in range(8):
        fresh = [
            dataclasses.replace(one, behaviour_log_probs=row)
            for one, row in zip(batches[0], policy.log_probs(batches[0], 0.6), strict=True)
        ]
        report = policy.step(fresh)
    after = gaps()
    assert after[0] > before[0]
    assert after[1] < before[1]
    assert report.values["learning_rate"] == 1e-2
    assert report.values["mismatch_kl"] < 1e-3
    assert report.values["num_tokens"] == sum(
        len(one.answer_ids) for one in batches[0] if one.is_trained
    )


def test_the_rate_warms_up(tiny_folder: Path, batches: list[list[Sample]]) -> None:
    policy = PlainPolicy(tiny_folder, OPTIONS)
    rates = [policy.step(batches[0]).values["learning_rate"] for _ in range(3)]
    assert rates == [5e-4, 1e-3, 1e-3]


def test_a_step_that_is_no_number_changes_nothing(
    tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    policy = PlainPolicy(tiny_folder, OPTIONS)
    policy.step(batches[0])
    before = weights(policy)
    with pytest.raises(StepInvalid, match="optimiser step 1 has loss"):
        policy.step([dataclasses.replace(one, advantage=3e38) for one in batches[1]])
    assert equal(weights(policy), before)
    undisturbed = PlainPolicy(tiny_folder, OPTIONS)
    for batch in batches:
        undisturbed.step(batch)
    policy.step(batches[1])
    assert equal(weights(policy), weights(undisturbed))


def test_a_step_without_anything_to_teach_is_skipped(
    tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    policy = PlainPolicy(tiny_folder, OPTIONS)
    policy.step(batches[0])
    before = weights(policy)
    dead = [dataclasses.replace(one, advantage=0.0) for one in batches[0]]
    untrained = [dataclasses.replace(one, is_trained=False) for one in batches[0]]
    for batch in ([], dead, untrained):
        report = policy.step(batch)
        assert report.is_skipped
        assert report.values["num_fed_tokens"] == 0
    assert equal(weights(policy), before)


def test_samples_without_advantage_count_in_the_denominator_and_are_not_fed(
    tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    dead = [dataclasses.replace(one, advantage=0.0, is_trained=True) for one in batches[1]]
    alone, beside = (PlainPolicy(tiny_folder, FLOAT32) for _ in range(2))
    one, other = alone.step(batches[0]).values, beside.step([*batches[0], *dead]).values
    assert other["num_fed_tokens"] == one["num_fed_tokens"]
    assert other["loss"] * other["num_tokens"] == pytest.approx(one["loss"] * one["num_tokens"])
    assert other["num_tokens"] > one["num_tokens"]
    # A term without an advantage in it teaches by them too.
    entropy = dataclasses.replace(FLOAT32, objective=Objective(entropy_coefficient=0.1))
    assert not PlainPolicy(tiny_folder, entropy).step(dead).is_skipped


def test_what_is_too_old_or_too_long_is_refused_before_anything_is_run(
    tiny_folder: Path, batches: list[list[Sample]], tmp_path: Path
) -> None:
    policy = PlainPolicy(tiny_folder, OPTIONS)
    for version in (1, 2):
        policy.step(batches[0])
        policy.publish(tmp_path / f"{version}")
    before = weights(policy)
    with pytest.raises(TooStale, match="staleness 2 is past the bound 1"):
        policy.step(batches[0])
    long = dataclasses.replace(batches[0][0], prompt_ids=[1] * 100)
    with pytest.raises(BatchInvalid, match="a micro-batch holds 64"):
        policy.step([dataclasses.replace(long, policy_versions=[2] * len(long.answer_ids))])
    assert equal(weights(policy), before)


def test_proximal_log_probs_are_the_steps_own_where_none_are_given(
    tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    options = dataclasses.replace(FLOAT32, correction=Correction.DECOUPLED)
    policy = PlainPolicy(tiny_folder, options)
    given = [
        dataclasses.replace(one, proximal_log_probs=row)
        for one, row in zip(batches[0], policy.log_probs(batches[0], 0.6), strict=True)
    ]
    one = PlainPolicy(tiny_folder, options).step(batches[0]).values
    other = policy.step(given).values
    assert one["ratio_max"] == 1.0
    assert other["ratio_max"] == pytest.approx(1.0, abs=1e-5)
    assert one["gradient_norm"] == pytest.approx(other["gradient_norm"], rel=1e-4)
    # In a second step the clip's centre stays where the iteration began.
    assert policy.step(given).values["ratio_max"] > 1.0 + 1e-4


def test_a_kl_term_holds_to_the_model_trained_from(
    tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    options = dataclasses.replace(FLOAT32, objective=Objective(kl_coefficient=0.1))
    policy = PlainPolicy(tiny_folder, options)
    drifts = [policy.step(batches[0]).values["drift"] for _ in range(3)]
    assert drifts[0] == pytest.approx(0.0, abs=1e-7)
    assert drifts[2] > drifts[1] > 1e-7


@pytest.mark.parametrize("options", [OPTIONS, LORA])
def test_resuming_goes_on_bit_for_bit(
    options: PolicyOptions, tiny_folder: Path, batches: list[list[Sample]], tmp_path: Path
) -> None:
    policy, resumed = (PlainPolicy(tiny_folder, options) for _ in range(2))
    policy.step(batches[0])
    policy.publish(tmp_path / "1")
    policy.step(batches[1])
    resumed.load_state(weights(policy))
    for one in (policy, resumed):
        one.step(batches[0])
    assert equal(weights(policy), weights(resumed))
    assert policy.log_probs(batches[0], 0.6) == resumed.log_probs(batches[0], 0.6)


def test_the_state_of_another_model_or_recipe_is_refused(tiny_folder: Path) -> None:
    state = PlainPolicy(tiny_folder, LORA).state()
    with pytest.raises(CheckpointInvalid, match="resume with the recipe that the run began with"):
        PlainPolicy(tiny_folder, OPTIONS).load_state(state)
    with pytest.raises(CheckpointInvalid, match="schema 99"):
        PlainPolicy(tiny_folder, LORA).load_state(state | {"schema": 99})


def test_versions_count_published_changes(
    tiny_folder: Path, batches: list[list[Sample]], tmp_path: Path
) -> None:
    policy = PlainPolicy(tiny_folder, OPTIONS)
    policy.publish(tmp_path / "base")
    assert policy.version == 0
    policy.step(batches[0])
    policy.step(batches[0])
    assert policy.version == 0
    policy.publish(tmp_path / "first")
    policy.publish(tmp_path / "again")
    assert policy.version == 1


def test_a_published_version_answers_as_the_policy_does(
    tiny_folder: Path, batches: list[list[Sample]], tmp_path: Path
) -> None:
    policy = PlainPolicy(tiny_folder, OPTIONS)
    policy.step(batches[0])
    policy.publish(tmp_path / "v1")
    verify(tmp_path / "v1")
    read = PlainPolicy(tmp_path / "v1", OPTIONS)
    assert read.log_probs(batches[0], 0.6) == policy.log_probs(batches[0], 0.6)


def test_a_merged_adapter_answers_as_the_adapted_model_does(
    tiny_folder: Path, batches: list[list[Sample]], tmp_path: Path
) -> None:
    options = dataclasses.replace(LORA, compute=Compute.FLOAT32, learning_rate=0.02)
    policy = PlainPolicy(tiny_folder, options)
    before = policy.log_probs(batches[0], 0.6)
    for _ in range(4):
        policy.step(batches[0])
    policy.publish(tmp_path / "v1")
    read = PlainPolicy(tmp_path / "v1", FLOAT32).log_probs(batches[0], 0.6)
    after = policy.log_probs(batches[0], 0.6)
    drift, moved = (
        max(
            abs(a - b)
            for one, other in zip(after, rows, strict=True)
            for a, b in zip(one, other, strict=True)
        )
        for rows in (read, before)
    )
    assert drift < 0.02
    assert moved > 10 * drift


def test_an_adapter_alone_is_read_by_peft(
    tiny_folder: Path, batches: list[list[Sample]], tmp_path: Path
) -> None:
    import peft
    import transformers

    lora = LoraOptions(rank=4, alpha=8, is_published_merged=False)
    options = dataclasses.replace(FLOAT32, lora=lora, learning_rate=0.02)
    policy = PlainPolicy(tiny_folder, options)
    policy.step(batches[0])
    policy.publish(tmp_path / "v1")
    names = {path.name for path in (tmp_path / "v1").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "manifest.json"}
    verify(tmp_path / "v1")
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(base, tmp_path / "v1")
    one = batches[0][0]
    with torch.no_grad():
        logits_TV = model(input_ids=torch.tensor([[*one.prompt_ids, *one.answer_ids]])).logits[0]
    log_probs_TV = (logits_TV / 0.6).log_softmax(dim=1)[len(one.prompt_ids) - 1 : -1]
    expected = log_probs_TV.gather(1, torch.tensor(one.answer_ids)[:, None]).squeeze(1).tolist()
    # The adapter is rounded to bfloat16.
    assert policy.log_probs([one], 0.6)[0] == pytest.approx(expected, abs=0.02)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match=r"has no config\.json"):
        PlainPolicy(tmp_path, OPTIONS)
    (tmp_path / "config.json").write_text('{"model_type": "no such model"}')
    with pytest.raises(ModelUnfit, match="cannot be loaded"):
        PlainPolicy(tmp_path, OPTIONS)
