"""Two ranks under torchrun take the steps that one process takes, and go on from what they saved."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server.model_manifest import verify
from trainer.packing import Sample
from trainer.plain_policy import PlainPolicy
from trainer.policy_options import Compute, LoraOptions, PolicyOptions
from trainer.surrogate import Objective

OPTIONS = PolicyOptions(
    learning_rate=1e-3, compute=Compute.FLOAT32, tokens_per_micro_batch=64, device="cpu"
)
SAME = ("loss", "gradient_norm", "entropy", "mismatch_kl", "ratio_max", "num_tokens", "staleness_0")


@pytest.fixture(scope="module")
def found(
    tiny_folder: Path, batches: list[list[Sample]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What two ranks found; three of the four micro-batches of a rank have samples in one step.

    Rank 1's folder has no weights.
    """
    out = tmp_path_factory.mktemp("ranks")
    without_weights = out / "without-weights"
    shutil.copytree(tiny_folder, without_weights, ignore=shutil.ignore_patterns("*.safetensors"))
    given = [[dataclasses.asdict(one) for one in batch] for batch in batches]
    (out / "batches.json").write_text(json.dumps(given))
    program = [Path(__file__).with_name("two_ranks.py"), tiny_folder, without_weights]
    program += [out / "batches.json", out]
    subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
            *map(str, program),
        ],
        check=True,
        timeout=200,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    told: dict[str, Any] = json.loads((out / "found.json").read_text())
    return told | {"out": out}


def close(left: Any, right: Any, rel: float = 1e-4) -> bool:
    return bool(
        {name: left[name] for name in SAME}
        == pytest.approx({name: right[name] for name in SAME}, rel=rel, abs=1e-7)
    )


def test_two_ranks_take_the_steps_of_one_process(
    found: dict[str, Any], tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    policy = PlainPolicy(tiny_folder, OPTIONS)
    before = policy.log_probs(batches[0], 0.6)
    for one, other in zip(found["full"]["before"], before, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    for batch, other in zip(batches, found["full"]["reports"], strict=True):
        assert close(policy.step(batch).values, other)
    for one, other in zip(
        policy.log_probs(batches[0], 0.6), found["full"]["scores"][0], strict=True
    ):
        assert one == pytest.approx(other, abs=1e-4)
    assert found["full"]["version"] == 1


def test_two_ranks_take_the_steps_of_one_process_with_an_adapter(
    found: dict[str, Any], tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    options = dataclasses.replace(OPTIONS, lora=LoraOptions(rank=4, alpha=8))
    policy = PlainPolicy(tiny_folder, options)
    for batch, other in zip(batches, found["lora"]["reports"], strict=True):
        assert close(policy.step(batch).values, other)


def test_two_ranks_hold_the_policy_to_the_reference_as_one_process_does(
    found: dict[str, Any], tiny_folder: Path, batches: list[list[Sample]]
) -> None:
    held = dataclasses.replace(OPTIONS, objective=Objective(kl_coefficient=0.5))
    policy, free = PlainPolicy(tiny_folder, held), PlainPolicy(tiny_folder, OPTIONS)
    for batch, other in zip(batches, found["kl"], strict=True):
        assert close(policy.step(batch).values, other)
        last = free.step(batch).values
    assert not close(last, found["kl"][-1])


def test_weights_that_rank_0_cannot_read_are_told_by_all_ranks(found: dict[str, Any]) -> None:
    first, second = found["unfit"]
    assert "without-weights cannot be loaded" in first
    assert second == first


@pytest.mark.parametrize("name", ["full", "lora"])
def test_in_bfloat16_they_agree_to_its_precision(
    found: dict[str, Any], tiny_folder: Path, batches: list[list[Sample]], name: str
) -> None:
    lora = LoraOptions(rank=4, alpha=8) if name == "lora" else None
    options = dataclasses.replace(OPTIONS, compute=Compute.BFLOAT16, lora=lora)
    policy = PlainPolicy(tiny_folder, options)
    for batch, other in zip(batches, found["bfloat16"][name], strict=True):
        assert policy.step(batch).values["gradient_norm"] == pytest.approx(
            other["gradient_norm"], rel=0.03
        )


def test_ranks_go_on_from_their_parts_and_from_the_whole_bit_for_bit(found: dict[str, Any]) -> None:
    full = found["full"]
    for again in full["again"]:
        assert {name: again[name] for name in SAME} == {
            name: full["reports"][1][name] for name in SAME
        }
    assert full["scores"][0] == full["scores"][1] == full["scores"][2]


def test_a_step_that_is_no_number_and_a_version_that_exists_are_refused_by_all_ranks(
    found: dict[str, Any],
) -> None:
    full = found["full"]
    assert full["refused"]
    assert not full["published_twice"]
    assert not full["loaded_nothing"]


def test_what_ranks_publish_verifies_and_answers_as_they_do(
    found: dict[str, Any], batches: list[list[Sample]]
) -> None:
    for name, scores in (("v1", found["full"]["scores"][0]), ("lora", found["lora"]["scores"])):
        verify(found["out"] / name)
        read = PlainPolicy(found["out"] / name, OPTIONS)
        for one, other in zip(read.log_probs(batches[0], 0.6), scores, strict=True):
            # Published weights are rounded to bfloat16.
            assert one == pytest.approx(other, abs=0.15)
