"""Families: told apart where the configs are alike, and their markup to the letter."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.errors import ModelError
from server.families import Family, family, family_of_folder, load_families, recognise

QWEN2 = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
DEEPSEEK2 = {"architectures": ["DeepseekV2ForCausalLM"]}


@pytest.mark.parametrize(
    ("config", "name", "expected"),
    [
        (QWEN2, "agentica-org/DeepCoder-14B-Preview", "deepcoder"),
        (QWEN2, "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", "deepseek-r1-distill-qwen"),
        (QWEN2, "Qwen/Qwen2.5-Coder-7B-Instruct", "qwen2.5-coder"),
        (QWEN2, "Qwen/Qwen2.5-Coder-1.5B-Instruct", "qwen2.5-coder-small"),
        (QWEN2, "somebody/finetune", "generic"),
        (DEEPSEEK2, "deepseek-ai/DeepSeek-Coder-V2-Lite-Base", "deepseek-coder-v2-lite-base"),
        (DEEPSEEK2, "deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct", "deepseek-coder-v2"),
        (DEEPSEEK2, "deepseek-ai/DeepSeek-Coder-V2-Instruct", "deepseek-coder-v2"),
        ({"architectures": ["LlamaForCausalLM"]}, "SmolLM2-135M-Instruct", "smollm2"),
        ({"architectures": ["LlamaForCausalLM"]}, "deepcoder", "generic"),
        ({}, "", "generic"),
    ],
)
def test_a_model_is_recognised_by_config_and_name(
    config: dict[str, Any], name: str, expected: str
) -> None:
    assert recognise(config, name).name == expected


def test_a_reasoning_finetune_without_a_telling_name_is_recognised_by_its_tokens(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN2))
    tokens = [{"id": 1, "content": "<think>"}, {"id": 2, "content": "</think>"}]
    tokenizer = {"model": {"vocab": {"a": 0}}, "added_tokens": tokens}
    assert family_of_folder(tmp_path).name == "generic"
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert family_of_folder(tmp_path).name == "deepseek-r1-distill-qwen"
    assert family_of_folder(tmp_path, known_as="my-DeepCoder").name == "deepcoder"


def test_markup_is_to_the_letter() -> None:
    rendered = {
        found.name: found.fim.render("before", "after")
        for found in load_families().values()
        if found.fim
    }
    assert rendered["qwen2.5-coder"] == "<|fim_prefix|>before<|fim_suffix|>after<|fim_middle|>"
    # U+FF5C and U+2581, not the bar and the underscore that they look like.
    assert rendered["deepseek-coder-v2-lite-base"] == (
        "<\uff5cfim\u2581begin\uff5c>before<\uff5cfim\u2581hole\uff5c>after<\uff5cfim\u2581end\uff5c>"
    )


def test_reasoning_models_were_not_trained_to_fill_in() -> None:
    for name in ("deepcoder", "deepseek-r1-distill-qwen"):
        assert family(name).fim is None
        assert family(name).system_prompt == "none"
        assert family(name).reasoning_parser == "deepseek_r1"


def test_every_marker_of_a_family_also_ends_its_answers() -> None:
    for found in load_families().values():
        if found.fim and found.name.startswith("deepseek"):
            assert {found.fim.prefix, found.fim.suffix, found.fim.middle} <= set(found.fim.stop)


def test_yarn_is_asked_for_only_past_the_models_own_window() -> None:
    coder = family("qwen2.5-coder")
    assert coder.hf_overrides(32768) == {}
    overrides = coder.hf_overrides(131072)
    assert overrides["max_position_embeddings"] == 131072
    # The engine takes these in place of the config's: what is left out is lost.
    assert overrides["rope_parameters"] == {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 32768,
        "rope_theta": 1e6,
    }
    assert family("deepcoder").hf_overrides(131072) == {}


def test_an_unknown_key_or_family_is_refused() -> None:
    with pytest.raises(ValueError, match="tempo"):
        Family.model_validate({"name": "x", "title": "x", "tempo": 1})
    with pytest.raises(ModelError, match="known are"):
        family("nothing")
