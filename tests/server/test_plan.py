"""A plan never promises memory that is not there, and a refusal names what would fit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import DoesNotFit, ModelError
from server.known_models import find_known_model, known_models
from server.machines import GIB, GPU_GIB, Machine, parse_gpus
from server.model_layout import lay_out, splits
from server.model_shape import ModelShape, shape_of
from server.plan import Plan, plan


def known(name: str) -> ModelShape:
    hub_id = find_known_model(name)
    return shape_of(known_models()[hub_id], name=hub_id.rpartition("/")[2])


def planned(name: str, gpus: str, context_tokens: int, *, concurrency: int = 1) -> Plan:
    return plan(
        known(name),
        machine=parse_gpus(gpus),
        context_tokens=context_tokens,
        concurrency=concurrency,
    )


def test_deepcoder_serves_a_few_sequences_of_64k_on_one_h100() -> None:
    made = planned("DeepCoder-14B-Preview", "h100", 65536)
    assert made.concurrency in (2, 3)
    assert made.weight_bytes / GIB == pytest.approx(27.5, abs=0.1)
    assert made.largest_context_tokens == 131072


def test_second_gpu_halves_the_weights_and_more_than_doubles_the_cache() -> None:
    one = planned("DeepCoder-14B-Preview", "h100", 65536)
    two = planned("DeepCoder-14B-Preview", "h100:2", 65536)
    assert (two.layout.tensor_parallel, two.layout.pipeline_parallel) == (2, 1)
    assert two.layout.weight_bytes == pytest.approx(one.layout.weight_bytes / 2, rel=0.001)
    assert two.layout.kv_tokens > 2 * one.layout.kv_tokens


def test_refusal_names_need_have_and_ways_out_that_hold() -> None:
    with pytest.raises(DoesNotFit) as refused:
        planned("DeepCoder-14B-Preview", "l40s", 131072)
    text = str(refused.value)
    assert "DeepCoder-14B-Preview needs 55.0 GiB on l40s" in text
    assert "cache 24.0 GiB for 131,072 tokens" in text
    assert "40.8 GiB of its 44.4 GiB are usable" in text
    assert "--gpu l40s:2" in text
    planned("DeepCoder-14B-Preview", "l40s:2", 131072)
    words = text.split()
    shorter, shorter_with_fp8 = (
        int(words[place + 1].strip(";")) for place, word in enumerate(words) if word == "--context"
    )
    planned("DeepCoder-14B-Preview", "l40s", shorter)
    shape, machine = known("DeepCoder-14B-Preview"), parse_gpus("l40s")
    plan(shape, machine=machine, context_tokens=shorter_with_fp8, kv_format="fp8")
    assert "--weights fp8 with --kv-dtype fp8" in text
    plan(shape, machine=machine, context_tokens=131072, kv_format="fp8", weight_format="fp8")


def test_longest_context_that_is_named_is_the_longest() -> None:
    largest = planned("DeepCoder-14B-Preview", "l40s", 16).largest_context_tokens
    planned("DeepCoder-14B-Preview", "l40s", largest)
    with pytest.raises(DoesNotFit, match=f"--context {largest};"):
        planned("DeepCoder-14B-Preview", "l40s", largest + 1)


def test_refused_concurrency_names_the_one_that_fits() -> None:
    with pytest.raises(DoesNotFit, match="--concurrency 3;"):
        planned("DeepCoder-14B-Preview", "h100", 65536, concurrency=6)
    assert planned("DeepCoder-14B-Preview", "h100", 65536, concurrency=3).concurrency == 3


def test_context_past_the_models_own_is_refused_whatever_the_memory() -> None:
    with pytest.raises(DoesNotFit, match="131,073 tokens is outside what the model can do"):
        planned("DeepCoder-14B-Preview", "b200:8", 131073)


def test_where_nothing_helps_a_smaller_model_is_the_way_out() -> None:
    with pytest.raises(DoesNotFit, match="Ways out: more memory, or a smaller model"):
        planned("SmolLM2-135M-Instruct", "cpu:2GiB", 8192)


def test_split_stays_within_what_the_heads_allow() -> None:
    made = planned("Qwen2.5-Coder-7B-Instruct", "h100:8", 32768)  # 28 heads: 8 does not divide
    assert (made.layout.tensor_parallel, made.layout.pipeline_parallel) == (4, 2)
    assert splits(known("SmolLM2-135M-Instruct"), 3) == [(1, 3), (3, 1)]  # 9 heads, 3 KV heads
    with pytest.raises(ModelError, match=r"cannot be divided among the 31 GPUs of h100:31"):
        planned("SmolLM2-135M-Instruct", "h100:31", 8192)


def test_latent_cache_is_whole_on_every_gpu_of_a_layer() -> None:
    shape, machine = known("DeepSeek-Coder-V2-Instruct"), parse_gpus("h200:8")
    wide, deep = (
        lay_out(shape, machine, tensor_parallel=t, pipeline_parallel=p, weight_format="bf16", kv_format="bf16")
        for t, p in ((8, 1), (1, 8))
    )  # fmt: skip
    assert wide.kv_bytes_per_token == shape.kv_bytes_per_token()
    assert deep.kv_bytes_per_token == 8 * 576 * 2  # 60 layers over 8 stages: 8 in the fullest


def test_wish_that_the_best_split_cannot_hold_goes_to_another() -> None:
    few = planned("DeepSeek-Coder-V2-Instruct", "h100:8", 65536)
    many = planned("DeepSeek-Coder-V2-Instruct", "h100:8", 65536, concurrency=8)
    assert few.layout.tensor_parallel == 8
    assert many.layout.pipeline_parallel > 1
    assert many.layout.kv_tokens > few.layout.kv_tokens


def test_tied_head_is_on_the_first_and_the_last_stage_both() -> None:
    shape = known("Qwen2.5-Coder-0.5B-Instruct")
    one, two = (
        lay_out(shape, parse_gpus(f"l4:{n}"), tensor_parallel=1, pipeline_parallel=n,
                weight_format="bf16", kv_format="bf16").weight_bytes
        for n in (1, 2)
    )  # fmt: skip
    table_bytes = 2 * shape.embedding_parameters
    assert two == pytest.approx((one - table_bytes) / 2 + table_bytes, abs=4096)


# Published by vLLM users from its own start-up log: total memory of a GPU, share of it the engine
# was given, GPUs, and the KV cache that it then found room for.
# github.com/vllm-project/vllm: pull 10511 (Llama 3 8B, twice), issue 15815 (the Qwen2.5 32B shape).
LLAMA_3_8B = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}


@pytest.mark.parametrize(
    ("shape", "total_gib", "share", "num_gpus", "weight_gib", "kv_gib"),
    [
        (shape_of(LLAMA_3_8B, name="Llama-3-8B"), 79.22, 0.90, 1, 14.96, 53.29),
        (shape_of(LLAMA_3_8B, name="Llama-3-8B"), 79.22, 0.90, 2, 7.48, None),
        (known("Qwen2.5-Coder-32B-Instruct"), 44.42, 0.90, 2, 30.71, 7.71),
    ],
)
def test_estimate_is_near_the_engines_own_log_and_not_above_it(
    shape: ModelShape, total_gib: float, share: float, num_gpus: int, weight_gib: float,
    kv_gib: float | None,
) -> None:  # fmt: skip
    layout = lay_out(
        shape,
        Machine(name="logged", kind="gpu", memory_bytes=int(total_gib * GIB), num_devices=num_gpus),
        tensor_parallel=num_gpus, pipeline_parallel=1, weight_format="bf16", kv_format="bf16",
    )  # fmt: skip
    assert layout.weight_bytes / GIB == pytest.approx(weight_gib, rel=0.01)
    if kv_gib is not None:
        usable_gib = total_gib * share
        computed_gib = usable_gib - (layout.weight_bytes + layout.reserve_bytes) / GIB
        # Never more than the engine found; at most 3.5 GiB less, which is what a start may cost.
        assert kv_gib - 3.5 < computed_gib <= kv_gib


@given(
    hub_id=st.sampled_from(sorted(known_models())),
    kind=st.sampled_from(["cpu", "gpu"]),
    num_devices=st.sampled_from([1, 2, 4, 8]),
    gib=st.floats(1, 200),
    more_gib=st.floats(0, 100),
    context_tokens=st.integers(1, 8192),
    concurrency=st.integers(1, 64),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_more_memory_never_fits_less(
    hub_id: str, kind: str, num_devices: int, gib: float, more_gib: float, context_tokens: int,
    concurrency: int,
) -> None:  # fmt: skip
    shape = shape_of(known_models()[hub_id], name=hub_id)

    def attempt(memory_gib: float) -> Plan | None:
        machine = Machine(
            name="any",
            kind="gpu" if kind == "gpu" else "cpu",
            memory_bytes=int(memory_gib * GIB),
            num_devices=num_devices if kind == "gpu" and shape.num_heads != 9 else 1,
        )
        try:
            return plan(
                shape, machine=machine, context_tokens=context_tokens, concurrency=concurrency
            )
        except DoesNotFit:
            return None

    less, more = attempt(gib), attempt(gib + more_gib)
    if less is not None:
        assert more is not None
        assert more.concurrency >= concurrency
        if more.layout.tensor_parallel == less.layout.tensor_parallel:
            assert more.layout.kv_tokens >= less.layout.kv_tokens
            assert more.largest_context_tokens >= less.largest_context_tokens


@given(
    hub_id=st.sampled_from(sorted(known_models())),
    gpu=st.sampled_from(sorted(GPU_GIB)),
    num_devices=st.sampled_from([1, 2, 4, 8]),
    context_tokens=st.integers(1, 8192),
    concurrency=st.integers(1, 64),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_parts_of_a_plan_never_exceed_the_device(
    hub_id: str, gpu: str, num_devices: int, context_tokens: int, concurrency: int
) -> None:
    shape = shape_of(known_models()[hub_id], name=hub_id)
    machine = parse_gpus(f"{gpu}:{num_devices}")
    try:
        made = plan(shape, machine=machine, context_tokens=context_tokens, concurrency=concurrency)
    except ModelError:  # DoesNotFit too
        return
    layout = made.layout
    used_bytes = (
        layout.weight_bytes
        + layout.reserve_bytes
        + concurrency * context_tokens * layout.kv_bytes_per_token
    )
    assert used_bytes <= machine.usable_bytes < machine.memory_bytes


@pytest.mark.parametrize(
    ("text", "gib", "num_devices", "kind"),
    [
        ("h100", 79.1, 1, "gpu"),
        ("H100:2", 79.1, 2, "gpu"),
        ("a100-40:4", 39.4, 4, "gpu"),
        ("48GiB:2", 48, 2, "gpu"),
        ("cpu:24GiB", 24, 1, "cpu"),
        ("cpu:1.5g", 1.5, 1, "cpu"),
    ],
)
def test_machine_is_read_from_its_name(text: str, gib: float, num_devices: int, kind: str) -> None:
    machine = parse_gpus(text)
    assert (machine.num_devices, machine.kind) == (num_devices, kind)
    assert machine.memory_bytes / GIB == pytest.approx(gib)
    assert parse_gpus(str(machine)) == machine


@pytest.mark.parametrize("text", ["h101", "", "h100:", "h100:0", "h100:x", "cpu", "0GiB", "a:b:c"])
def test_machine_that_cannot_be_read_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ModelError, match=r"h100:2|cpu:24GiB"):
        parse_gpus(text)
