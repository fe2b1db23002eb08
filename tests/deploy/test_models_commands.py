"""`codeloop models` brings models in, tells what they are, and takes them out again."""

import json
import pathlib
import struct
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Codeloop = Callable[..., CompletedProcess[str]]


@pytest.fixture
def checkpoint(tmp_path: pathlib.Path) -> pathlib.Path:
    """A whole model of four bytes."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "vocab_size": 8,
        "max_position_embeddings": 32768,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 0}}}))
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(4)
    (folder / "model.safetensors").write_bytes(weights)
    return folder


@pytest.fixture
def models(codeloop: Codeloop, tmp_path: pathlib.Path) -> Codeloop:
    """`codeloop models ...` with a home of its own."""

    def run(*arguments: str, **environment: str) -> CompletedProcess[str]:
        return codeloop("--home", str(tmp_path / "home"), "models", *arguments, **environment)

    return run


def test_a_model_is_copied_in_listed_shown_verified_and_removed(
    models: Codeloop, checkpoint: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    pulled = models("pull", "mine", "--from", str(checkpoint))
    assert pulled.returncode == 0, pulled.stderr
    path = tmp_path / "home" / "models" / "mine"
    assert f"mine is in {path}" in pulled.stderr
    (listed,) = json.loads(models("list", "--json").stdout)
    assert (listed["name"], listed["path"], listed["source"]) == (
        "mine",
        str(path),
        str(checkpoint),
    )
    shown = json.loads(models("show", "mine", "--json").stdout)
    assert (shown["family"], shown["chat_template"]) == ("generic", False)
    assert "is whole" in models("verify", "mine").stderr
    assert models("remove", "mine").returncode == 0
    assert json.loads(models("list", "--json").stdout) == []


def test_a_second_pull_says_that_the_model_is_here_and_does_nothing(
    models: Codeloop, checkpoint: pathlib.Path
) -> None:
    models("pull", "mine", "--from", str(checkpoint))
    again = models("pull", "mine", "--from", str(checkpoint))
    assert again.returncode == 0
    assert "is here already" in again.stderr


def test_list_names_what_can_be_pulled(models: Codeloop) -> None:
    listed = models("list").stdout
    for name in ("smollm2-135m", "deepcoder-14b", "deepseek-coder-v2-lite-base"):
        assert name in listed


def test_a_folder_is_shown_where_it_is(models: Codeloop, checkpoint: pathlib.Path) -> None:
    shown = models("show", str(checkpoint))
    assert "32,768" in shown.stdout
    assert "chat template" in shown.stdout


def test_a_changed_file_fails_verification_with_exit_code_1(
    models: Codeloop, checkpoint: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    models("pull", "mine", "--from", str(checkpoint))
    config = tmp_path / "home" / "models" / "mine" / "config.json"
    config.write_text(config.read_text() + " ")
    refused = models("verify", "mine")
    assert refused.returncode == 1
    assert "config.json has sha256" in refused.stderr
    assert "codeloop models remove mine" in refused.stderr


def test_a_damaged_folder_is_refused_by_the_file_at_fault(
    models: Codeloop, checkpoint: pathlib.Path
) -> None:
    (checkpoint / "model.safetensors").write_bytes(b"half")
    refused = models("pull", "mine", "--from", str(checkpoint))
    assert refused.returncode == 1
    assert "model.safetensors" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["show", "verify", "remove"])
def test_a_model_that_is_not_here_is_exit_code_1(models: Codeloop, command: str) -> None:
    refused = models(command, "absent")
    assert refused.returncode == 1
    assert "'absent'" in refused.stderr


def test_a_hub_on_a_closed_port_lists_the_ways_without_it(models: Codeloop) -> None:
    refused = models("pull", "deepcoder-14b", HF_ENDPOINT="http://127.0.0.1:9")
    assert refused.returncode == 1
    assert "http://127.0.0.1:9 cannot be reached for agentica-org/DeepCoder-14B-Preview" in (
        refused.stderr
    )
    for way in ("--from", "HF_HOME", "HF_ENDPOINT", "HTTPS_PROXY", "smollm2-135m"):
        assert way in refused.stderr


def test_a_store_that_cannot_be_written_is_named(
    models: Codeloop, checkpoint: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    refused = models("pull", "mine", "--from", str(checkpoint))
    assert refused.returncode == 1
    assert "cannot take 'mine'" in refused.stderr
    assert "Traceback" not in refused.stderr
