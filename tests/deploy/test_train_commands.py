"""`codeloop train`: tables for people, JSON for programs, and errors that name the way out."""

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from server.known_models import known_models


def parsed(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_help_shows_the_commands_and_examples(codeloop: Any) -> None:
    assert "train" in codeloop("--help").stdout
    overview = codeloop("train", "--help").stdout
    assert "plan" in overview
    assert "simulate" in overview
    assert "codeloop train plan DeepCoder" in codeloop("train", "plan", "--help").stdout
    assert "codeloop train simulate --" in codeloop("train", "simulate", "--help").stdout


def test_simulation_names_the_baseline_of_every_ratio(codeloop: Any) -> None:
    output = codeloop("train", "simulate", "--iterations", "10").stdout
    for word in ("colocated", "same-split", "one-off-interleaved", "colocated on 4", "no pipeline"):
        assert word in output
    found = parsed(codeloop("train", "simulate", "--iterations", "10", "--json"))
    schedules = found["schedules"]
    assert schedules["colocated"]["speedup_over_colocated"] == 1
    assert schedules["same-split"]["speedup_over_same_split"] == 1
    assert schedules["one-off"]["most_stale"] == 1


def test_example_of_a_loss_loses(codeloop: Any) -> None:
    help_text = codeloop("train", "simulate", "--help").stdout
    options = ["--variation", "0", "--switch-seconds", "0", "--step-ms", "1", "--answer-us", "200"]
    assert " ".join(options) in " ".join(help_text.split())
    found = parsed(codeloop("train", "simulate", *options, "--iterations", "10", "--json"))
    assert found["schedules"]["one-off-interleaved"]["speedup_over_colocated"] < 0.95


def test_sweeps_vary_the_split_or_the_times(codeloop: Any) -> None:
    common = ("train", "simulate", "--iterations", "5", "--prompts", "8", "--json", "--sweep")
    splits = parsed(codeloop(*common, "splits"))
    assert [row["case"] for row in splits] == [f"{n}:{8 - n}" for n in range(1, 8)]
    times = parsed(codeloop(*common, "times"))
    assert [row["case"] for row in times] == ["1:3", "1:2", "1:1", "2:1", "3:1"]


def test_published_table_tells_what_is_predicted_and_what_fitted(codeloop: Any) -> None:
    rows = parsed(codeloop("train", "simulate", "--published", "--json"))
    assert {row["basis"] for row in rows} == {"predicted", "fitted"}
    assert {row["baseline"] for row in rows} == {"colocated", "same-split"}
    assert max(row["worst_error"] for row in rows) < 0.10
    assert min(row["simulated_speedup"] for row in rows) < 0.8


def test_plan_shows_each_term_of_the_memory(codeloop: Any) -> None:
    arguments = (
        "train",
        "plan",
        "DeepCoder-14B-Preview",
        "--gpu",
        "h200:8",
        "--tensor-parallel",
        "2",
    )
    output = codeloop(*arguments).stdout
    assert "4 N / R" in output
    assert "checkpoints between layers" in output
    assert "Stay synchronous" in output or "Pipeline:" in output
    found = parsed(codeloop(*arguments, "--json"))
    assert found["parameters"] == 14_770_033_664
    assert found["memory_bytes"] == sum(term["num_bytes"] for term in found["memory"])
    assert found["memory_bytes"] < found["memory_limit_bytes"]


def test_plan_of_a_small_model_on_a_cpu(codeloop: Any) -> None:
    found = parsed(
        codeloop(
            *("train", "plan", "SmolLM2-135M-Instruct", "--gpu", "cpu:24GiB", "--cores", "2"),
            *("--prompts", "24", "--context", "64", "--prompt-tokens", "116", "--json"),
            *("--micro-batch-tokens", "1024", "--chunk-tokens", "192"),
        )
    )
    assert found["learner_ranks"] == 1
    assert found["best_split"] == [1, 1]


def test_model_in_a_folder_is_planned_by_its_config(codeloop: Any, tmp_path: pathlib.Path) -> None:
    config = dict(known_models()["agentica-org/DeepCoder-14B-Preview"], num_hidden_layers=4)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text(json.dumps(config))
    found = parsed(codeloop("train", "plan", "mine", "--gpu", "h100", "--json"))
    assert found["model"] == "mine"
    assert found["best_split"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("simulate", "--samplers", "0"), "sampler_devices is 0: there must be at least 1"),
        (("simulate", "--group", "1"), "group is 1: a group needs at least 2"),
        (("plan", "DeepCoder-14B-Preview", "--gpu", "h100:2"), "on each of 2 ranks"),
        (
            ("plan", "DeepCoder-14B-Preview", "--gpu", "h100:8", "--mini-batch", "5"),
            "mini_batch_prompts is 5 of 128 prompts",
        ),
        (("plan", ".", "--gpu", "h100:8"), "config.json cannot be read"),
        (("plan", "DeepCoder-14B-Preview", "--gpu", "h1000"), "known GPUs are"),
    ],
)
def test_bad_input_is_one_sentence(codeloop: Any, arguments: tuple[str, ...], message: str) -> None:
    result = codeloop("train", *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_planning_needs_no_torch() -> None:
    code = (
        "import sys, deploy.train_plan, deploy.train_simulate;"
        " assert not {'torch', 'vllm', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
