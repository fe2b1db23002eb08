"""A model that cannot be served as it is set up is refused before an engine is started."""

from pathlib import Path

import pytest

from server.cpu_engine import cpu_environment
from server.errors import DoesNotFit, ModelError
from server.families import family
from server.memory_check import available_bytes, check_memory
from server.model_folder import ModelFacts
from server.served_models import choose_context
from server.settings import ModelSettings
from server.vllm_engine import vllm_command

SMOLLM2 = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
KV_BYTES_A_TOKEN = 30 * 2 * 3 * 64 * 2  # layers x key and value x heads x size x bfloat16


def facts(weights_bytes: int = 2**20) -> ModelFacts:
    return ModelFacts(
        path=Path("smollm2"),
        family=family("smollm2"),
        max_context_tokens=8192,
        vocab_size=49152,
        has_chat_template=True,
        weights_bytes=weights_bytes,
        config=SMOLLM2,
    )


def check(kv_cache_bytes: int, *, weights_bytes: int = 2**20, kv_is_fp8: bool = False) -> None:
    check_memory(
        facts(weights_bytes),
        name="m",
        context_tokens=8192,
        kv_cache_bytes=kv_cache_bytes,
        kv_is_fp8=kv_is_fp8,
    )


def test_a_cache_too_small_for_one_context_is_refused_with_the_context_that_fits() -> None:
    check(8192 * KV_BYTES_A_TOKEN)
    with pytest.raises(DoesNotFit, match="lower context_tokens to 4096"):
        check(4096 * KV_BYTES_A_TOKEN)
    check(4096 * KV_BYTES_A_TOKEN, kv_is_fp8=True)


def test_more_memory_than_the_machine_has_is_refused_with_the_numbers() -> None:
    with pytest.raises(DoesNotFit, match="are available"):
        check(2**30, weights_bytes=available_bytes())


def test_a_context_past_the_models_own_is_refused_and_the_familys_default_is_kept_within() -> None:
    deepcoder = family("deepcoder")
    assert choose_context(ModelSettings(name="m"), deepcoder, 131072) == 65536
    assert choose_context(ModelSettings(name="m"), deepcoder, 4096) == 4096
    assert (
        choose_context(ModelSettings(name="m", context_tokens=131072), deepcoder, 131072) == 131072
    )
    with pytest.raises(DoesNotFit, match="reads at most 4096"):
        choose_context(ModelSettings(name="m", context_tokens=8192), deepcoder, 4096)


def command(**settings: object) -> str:
    model = ModelSettings.model_validate({"name": "m", **settings})
    return " ".join(
        vllm_command(
            model,
            folder=Path("/m"),
            family=family("deepcoder"),
            context_tokens=65536,
            has_gpu=True,
        ).trailing
    )


def test_the_engine_is_started_as_the_family_needs_it() -> None:
    line = command(tensor_parallel=2, kv_cache_dtype="fp8")
    for part in (
        "--max-model-len 65536",
        "--reasoning-parser deepseek_r1",
        "--tensor-parallel-size 2",
        "--kv-cache-dtype fp8",
        "--scheduling-policy priority",
        '"temperature": 0.6',
    ):
        assert part in line
    assert "--enforce-eager" not in line


@pytest.mark.parametrize("argument", ["--port", "--max-model-len=5", "--api-key"])
def test_an_argument_that_codeloop_sets_itself_is_refused(argument: str) -> None:
    with pytest.raises(ModelError, match="which codeloop sets itself"):
        command(engine_arguments=(argument,))
    assert command(engine_arguments=("--seed", "7")).endswith("--seed 7")


def test_engines_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    model = ModelSettings(name="m")
    alone = cpu_environment(model, num_engines=1, around={})
    crowd = cpu_environment(model, num_engines=1000, around={})
    assert int(alone["OMP_NUM_THREADS"]) >= 1 == int(crowd["OMP_NUM_THREADS"])
    own = dict.fromkeys(alone, "")
    assert cpu_environment(model, num_engines=1, around=own) == {}
    spread = ModelSettings(name="m", tensor_parallel=2)
    assert "OMP_NUM_THREADS" not in cpu_environment(spread, num_engines=1, around={})
