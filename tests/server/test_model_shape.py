"""The size of a model is computed from its config exactly as others build it from the same config."""

import json
import os
import pathlib
import subprocess
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import pytest

from server.errors import ModelError, ModelNotFound
from server.known_models import find_known_model, known_models
from server.model_shape import ModelShape, shape_of

TINY_LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 32,
    "max_position_embeddings": 64,
}


def known(name: str) -> ModelShape:
    hub_id = find_known_model(name)
    return shape_of(known_models()[hub_id], name=hub_id)


def transformers_count(config: Mapping[str, Any]) -> int:
    """Parameters of the model that transformers builds, without memory for them."""
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        # Its own deprecations are not ours to fail on.
        warnings.simplefilter("ignore")
        transformers = pytest.importorskip("transformers")
        with torch.device("meta"):
            built = transformers.AutoModelForCausalLM.from_config(
                transformers.AutoConfig.for_model(**config)
            )
    return sum(parameter.numel() for parameter in built.parameters())


@pytest.mark.parametrize("hub_id", known_models())
def test_parameters_of_a_known_model_are_those_that_transformers_builds(hub_id: str) -> None:
    config = known_models()[hub_id]
    assert shape_of(config, name=hub_id).num_parameters == transformers_count(config)


@pytest.mark.parametrize(
    "change",
    [
        {"tie_word_embeddings": True},
        {"attention_bias": True},
        {"mlp_bias": True},
        {"head_dim": 4},
        {"num_key_value_heads": None},
    ],
    ids=str,
)
def test_parameters_follow_every_option_of_the_config(change: dict[str, Any]) -> None:
    config = {"tie_word_embeddings": False, **TINY_LLAMA, **change}
    assert shape_of(config, name="tiny").num_parameters == transformers_count(config)


def test_parameters_of_a_tiny_model_are_those_worked_by_hand() -> None:
    # A layer: q and o 8x8 each, k and v 8x4 each, three matrices 8x16, two norms of 8 -> 592.
    # Two layers, a table and a head of 32x8 each, one norm of 8.
    assert shape_of(TINY_LLAMA, name="tiny").num_parameters == 2 * 592 + 2 * 256 + 8


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("DeepCoder-14B-Preview", 14.77),
        ("DeepSeek-R1-Distill-Qwen-1.5B", 1.78),
        ("DeepSeek-R1-Distill-Qwen-7B", 7.62),
        ("DeepSeek-R1-Distill-Qwen-32B", 32.76),
        ("Qwen2.5-Coder-0.5B-Instruct", 0.49),
        ("Qwen2.5-Coder-1.5B-Instruct", 1.54),
        ("Qwen2.5-Coder-3B-Instruct", 3.09),
        ("Qwen2.5-Coder-7B-Instruct", 7.62),
        ("Qwen2.5-Coder-32B-Instruct", 32.76),
        ("DeepSeek-Coder-V2-Lite-Base", 15.71),
        ("DeepSeek-Coder-V2-Instruct", 235.74),
    ],
)
def test_parameters_are_those_the_makers_publish(name: str, billions: float) -> None:
    assert known(name).num_parameters / 1e9 == pytest.approx(billions, abs=0.005)


def test_smollm2_has_exactly_the_published_parameters() -> None:
    assert known("SmolLM2-135M-Instruct").num_parameters == 134_515_008


def test_active_parameters_of_expert_models_are_near_the_published_ones() -> None:
    assert known("DeepSeek-Coder-V2-Lite-Base").num_active_parameters / 1e9 == pytest.approx(
        2.4, abs=0.06
    )
    assert known("DeepSeek-Coder-V2-Base").num_active_parameters / 1e9 == pytest.approx(21, abs=0.2)


def test_cache_of_a_token_is_two_vectors_of_each_kv_head_in_each_layer() -> None:
    assert known("DeepCoder-14B-Preview").kv_bytes_per_token() == 2 * 48 * 8 * 128 * 2 == 192 * 1024
    assert known("DeepCoder-14B-Preview").kv_bytes_per_token(bytes_per_value=1) == 96 * 1024


def test_cache_of_a_token_with_latent_attention_is_one_vector_in_each_layer() -> None:
    lite = known("DeepSeek-Coder-V2-Lite-Instruct")
    assert lite.kv_bytes_per_token() == 27 * (512 + 64) * 2


@pytest.mark.slow
def test_cache_of_a_token_is_what_the_engine_sets_aside(tmp_path: pathlib.Path) -> None:
    # In a process of its own: importing the engine changes logging and the environment.
    result = subprocess.run(
        [sys.executable, "-c", ENGINE_CACHE, json.dumps(dict(known_models())), str(tmp_path)],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    engine = json.loads(result.stdout.splitlines()[-1])
    ours = {
        hub_id: [shape.kv_bytes_per_token(), shape.max_position_tokens]
        for hub_id, shape in ((hub_id, known(hub_id)) for hub_id in known_models())
    }
    assert engine == ours


ENGINE_CACHE = """
import json, pathlib, sys
import torch
from vllm.config import ModelConfig, ParallelConfig
from vllm.v1.kv_cache_interface import FullAttentionSpec, MLAAttentionSpec

found, parallel = {}, ParallelConfig()
for hub_id, config in json.loads(sys.argv[1]).items():
    folder = pathlib.Path(sys.argv[2]) / hub_id
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    model = ModelConfig(model=str(folder), skip_tokenizer_init=True, dtype="bfloat16")
    spec = (MLAAttentionSpec if model.use_mla else FullAttentionSpec)(
        block_size=16, num_kv_heads=model.get_num_kv_heads(parallel),
        head_size=model.get_head_size(), dtype=torch.bfloat16,
    )
    cache_bytes = spec.page_size_bytes * model.get_num_layers(parallel) // 16
    found[hub_id] = [cache_bytes, model.max_model_len]
print(json.dumps(found))
"""


def test_kv_heads_are_divided_down_to_one_each_and_a_latent_vector_never() -> None:
    grouped = known("Qwen2.5-Coder-7B-Instruct")
    assert [grouped.kv_values_per_token(tensor_parallel=n) for n in (1, 2, 4, 8)] == [
        1024, 512, 256, 256,
    ]  # fmt: skip
    latent = known("DeepSeek-Coder-V2-Instruct")
    assert latent.kv_values_per_token(tensor_parallel=8) == 576


def test_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"my-model .* MambaForCausalLM.* LlamaForCausalLM, Qwen2"):
        shape_of({"architectures": ["MambaForCausalLM"]}, name="my-model")


def test_config_without_a_needed_key_is_refused_by_that_key() -> None:
    config = {k: v for k, v in TINY_LLAMA.items() if k != "vocab_size"}
    with pytest.raises(ModelError, match="my-model has no 'vocab_size'"):
        shape_of(config, name="my-model")


def test_format_of_a_quantised_checkpoint_is_read_from_its_config() -> None:
    awq = {"quant_method": "awq", "bits": 4}
    assert shape_of({**TINY_LLAMA, "quantization_config": awq}, name="m").weight_format == "int4"
    strange = {"quant_method": "aqlm", "bits": 2}
    with pytest.raises(ModelError, match="'aqlm' with bits 2"):
        shape_of({**TINY_LLAMA, "quantization_config": strange}, name="m")


def test_known_model_is_found_by_the_start_of_its_name_in_any_case() -> None:
    assert find_known_model("deepcoder") == "agentica-org/DeepCoder-14B-Preview"
    assert find_known_model("Qwen/qwen2.5-coder-7b") == "Qwen/Qwen2.5-Coder-7B-Instruct"


def test_ambiguous_or_unknown_model_names_the_candidates() -> None:
    with pytest.raises(ModelNotFound, match=r"Lite-Base.*Lite-Instruct; give one"):
        find_known_model("DeepSeek-Coder-V2-Lite")
    with pytest.raises(ModelNotFound, match="nearest are agentica-org/DeepCoder-14B-Preview"):
        find_known_model("deep-coder-14b")
    with pytest.raises(ModelNotFound, match="HuggingFaceTB/SmolLM2-135M-Instruct"):
        find_known_model("")
