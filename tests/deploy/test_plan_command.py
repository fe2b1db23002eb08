"""`codeloop models plan` says whether a model fits, and prints settings that the server accepts."""

import json
import pathlib
import tomllib
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deploy.invocation import GlobalOptions
from deploy.plan_command import plan
from server.errors import DoesNotFit, ModelCorrupt, ModelError, ModelNotFound
from server.known_models import known_models
from server.model_names import NAMES
from server.settings import ModelSettings

DEEPCODER = "DeepCoder-14B-Preview"


@pytest.fixture
def run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command with nobody's settings; an error that it raises is raised here."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(plan)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(
            app, [*arguments], obj=GlobalOptions(home=tmp_path / "home"), catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def table_of(output: str) -> ModelSettings:
    """The settings that were printed for copying."""
    tables = tomllib.loads(output[output.index("[[server.models]]") :])
    return ModelSettings.model_validate(tables["server"]["models"][0])


def test_plan_of_two_gpus_prints_verdict_and_settings_to_copy(run: Any) -> None:
    output = run(DEEPCODER, "--gpu", "h100:2", "--context", "65536")
    assert "fits h100:2, split over 2 GPUs a layer: 65,536 tokens 9 times at once" in output
    settings = table_of(output)
    assert settings.name == "deepcoder-14b"
    assert (settings.context_tokens, settings.concurrency) == (65536, 9)
    assert (settings.tensor_parallel, settings.pipeline_parallel) == (2, 1)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"tiny-64k"}))
def test_every_short_name_of_a_model_is_known_to_the_plan(run: Any, name: str) -> None:
    settings = table_of(run(name, "--gpu", "h200:8", "--context", "4096", "--concurrency", "2"))
    assert (settings.name, settings.source) == (name, "")


def test_model_without_a_short_name_is_served_from_the_hub(run: Any) -> None:
    settings = table_of(run("qwen2.5-coder-3b-instruct", "--gpu", "l4"))
    assert settings.name == "Qwen2.5-Coder-3B-Instruct"
    assert settings.source == "Qwen/Qwen2.5-Coder-3B-Instruct"


def test_plan_as_json_carries_every_number_in_bytes_and_tokens(run: Any) -> None:
    fields = json.loads(run(DEEPCODER, "--gpu", "h100", "--context", "65536", "--json"))
    assert fields["parameters"] == 14_770_033_664
    assert fields["kv_bytes_per_token"] == 192 * 1024
    assert fields["concurrency"] == 3
    assert ModelSettings.model_validate(fields["settings"]).concurrency == 3


def test_plan_that_does_not_fit_is_an_error_with_ways_out(run: Any) -> None:
    with pytest.raises(DoesNotFit, match="Ways out: --context"):
        run(DEEPCODER, "--gpu", "l40s", "--context", "131072")


def test_formats_of_fewer_bits_become_settings(run: Any) -> None:
    formats = ("--kv-dtype", "fp8", "--weights", "fp8")
    settings = table_of(run(DEEPCODER, "--gpu", "l40s", "--context", "131072", *formats))
    assert settings.kv_cache_dtype == "fp8"
    assert settings.engine_arguments == ("--quantization", "fp8")


def test_plan_for_plain_memory_sets_the_cache_to_what_is_used(run: Any) -> None:
    output = run("SmolLM2-135M-Instruct", "--gpu", "cpu:8GiB", "--context", "4096")
    settings = table_of(output)
    assert settings.kv_cache_bytes is not None
    assert settings.kv_cache_bytes >= settings.concurrency * 4096 * 23040
    assert settings.kv_cache_bytes < 8 * 2**30


def test_context_default_and_limit_are_the_familys(run: Any) -> None:
    served = json.loads(run(DEEPCODER, "--gpu", "h100", "--json"))
    assert served["context_tokens"] == 65536
    by_rope_scaling = run("Qwen2.5-Coder-7B-Instruct", "--gpu", "h100", "--context", "131072")
    assert "131,072 tokens" in by_rope_scaling
    with pytest.raises(DoesNotFit, match="131,073 tokens is outside"):
        run("Qwen2.5-Coder-7B-Instruct", "--gpu", "h100", "--context", "131073")


def test_experts_are_shown_with_the_parameters_a_token_uses(run: Any) -> None:
    output = run("DeepSeek-Coder-V2-Lite-Base", "--gpu", "h100")
    assert "15.71 billion" in output
    assert "2.45 billion" in output


def test_model_in_a_folder_is_planned_by_its_own_config(run: Any, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    config = dict(known_models()[f"agentica-org/{DEEPCODER}"], num_hidden_layers=24)
    (folder / "config.json").write_text(json.dumps(config))
    fields = json.loads(run(str(folder), "--gpu", "h100", "--json"))
    assert fields["model"] == "my-model"
    assert fields["kv_bytes_per_token"] == 96 * 1024
    assert fields["settings"]["source"] == str(folder)


def test_folder_without_a_readable_config_is_named(run: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken").mkdir()
    with pytest.raises(ModelCorrupt, match=r"broken/config.json cannot be read"):
        run(str(tmp_path / "broken"), "--gpu", "h100")


def test_unknown_gpu_lists_the_known_ones(run: Any) -> None:
    with pytest.raises(ModelError, match="known GPUs are a10g, a100-40"):
        run(DEEPCODER, "--gpu", "h1000")


def test_without_a_machine_this_one_is_planned_for(run: Any) -> None:
    fields = json.loads(run("SmolLM2-135M-Instruct", "--context", "64", "--json"))
    assert fields["usable_bytes_per_device"] > 0


def test_name_that_is_nowhere_names_the_nearest(run: Any) -> None:
    with pytest.raises(ModelNotFound, match="nearest are agentica-org/DeepCoder-14B-Preview"):
        run("deep-coder-14b", "--gpu", "h100")
