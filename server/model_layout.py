"""One way to lay a model out on a machine: what lies on the fullest device and what is left.

Tensor parallelism divides each layer, pipeline parallelism divides the list of layers, as vLLM
0.32 does both. What the engine needs besides is estimated by `reserve_bytes`, on the high side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from server.cpu_engine import BATCHED_TOKENS as CPU_BATCHED_TOKENS
from server.cpu_engine import BLOCK_TOKENS
from server.machines import GIB, GPUS_PER_HOST, Machine
from server.model_shape import BYTES_PER_WEIGHT, Layer, ModelShape, WeightFormat

KvFormat = Literal["bf16", "fp8"]
"""Precision of the KV cache; bf16 stands for every 16-bit format."""

BYTES_PER_KV_VALUE: dict[KvFormat, int] = {"bf16": 2, "fp8": 1}

UNQUANTISED_BYTES = 2
"""Of a value in norms, routers and tables, which formats of few bits leave alone."""

GPU_BLOCK_TOKENS = 16
LATENT_BLOCK_TOKENS = 64
"""The cache is handed out in blocks of so many tokens, and the engine keeps one block back; on a CPU in
those of cpu_engine."""

BATCHED_TOKENS = {"gpu": 8192, "cpu": CPU_BATCHED_TOKENS}
"""Prompt tokens of one step, which the server sets; they decide the activations."""

ENGINE_BYTES = GIB
"""CUDA libraries and workspaces, which PyTorch does not count; logs say 0.3 to 1.8 GiB."""

LINK_BYTES = 3 * GIB // 2
"""Buffers for talking to the other GPUs, where there are any; logs say 0 to 1.8 GiB."""

GRAPH_BYTES = 3 * GIB // 4
"""Captured CUDA graphs; usual logs say 0.3 to 0.7 GiB."""

CPU_ENGINE_BYTES = 3 * GIB
"""Resident memory of gateway, engine and worker without weights and cache: 2.5 GiB measured."""

SAMPLED_SEQUENCES = 256
SAMPLING_BYTES = 22
"""One step's logits: 16 and 32 bits, sorted with 64-bit places, and probabilities, a word each."""

LATENT_PREFILL_TOKENS = 64 * 1024
"""Cached tokens that vLLM unpacks at once while it reads a long prompt with latent attention."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A split and the device that limits it, which is the one whose cache holds fewest tokens.

    weight_bytes, reserve_bytes, kv_bytes_per_token: on that device. kv_bytes: what is left there
    for the cache, and may be negative. kv_tokens: tokens the whole cache holds, 0 when none.
    """

    tensor_parallel: int
    pipeline_parallel: int
    weight_bytes: int
    reserve_bytes: int
    kv_bytes: int
    kv_bytes_per_token: int
    block_tokens: int

    @property
    def kv_tokens(self) -> int:
        num_blocks = self.kv_bytes // (self.kv_bytes_per_token * self.block_tokens) - 1
        return max(num_blocks, 0) * self.block_tokens

    def sequences(self, context_tokens: int) -> int:
        """How many sequences of that length the cache holds at once."""
        return self.kv_tokens // self.rounded(context_tokens)

    def rounded(self, context_tokens: int) -> int:
        """The tokens that a sequence of that length takes, in whole blocks."""
        return -(-context_tokens // self.block_tokens) * self.block_tokens


def lay_out(
    shape: ModelShape,
    machine: Machine,
    *,
    tensor_parallel: int,
    pipeline_parallel: int,
    weight_format: WeightFormat,
    kv_format: KvFormat,
) -> Layout:
    """The layout with that split, which must be one of `splits`."""
    reserve = reserve_bytes(shape, machine, tensor_parallel=tensor_parallel)
    values = shape.kv_values_per_token(tensor_parallel=tensor_parallel)
    stages = _stages(shape.layers, pipeline_parallel)
    layouts = []
    for place, layers in enumerate(stages):
        weights = _layer_bytes(shape, layers, tensor_parallel, weight_format) + _table_bytes(
            shape,
            tensor_parallel,
            is_first=place == 0,
            is_last=place == len(stages) - 1,
            keeps_packed_head=machine.kind == "cpu",
        )
        layouts.append(
            Layout(
                tensor_parallel=tensor_parallel,
                pipeline_parallel=pipeline_parallel,
                weight_bytes=weights,
                reserve_bytes=reserve,
                kv_bytes=machine.usable_bytes - weights - reserve,
                kv_bytes_per_token=len(layers) * values * BYTES_PER_KV_VALUE[kv_format],
                block_tokens=_block_tokens(shape, machine),
            )
        )
    return min(layouts, key=lambda layout: (layout.kv_tokens, layout.kv_bytes))


def splits(shape: ModelShape, num_devices: int) -> list[tuple[int, int]]:
    """(tensor, pipeline) parallel sizes that use all the devices, the best to serve with first.

    Tensor parallelism shortens every answer, so it comes first, in powers of two and within one
    host; it must divide the attention heads and the MLP, and the KV heads or be divided by them.
    Empty when there are more devices than can be used.
    """
    sizes = [
        size
        for size in range(1, min(num_devices, GPUS_PER_HOST) + 1)
        if num_devices % size == 0
        and num_devices // size <= len(shape.layers)
        and shape.num_heads % size == 0
        and (shape.num_kv_heads % size == 0 or size % shape.num_kv_heads == 0)
        and all(width % size == 0 for width in shape.mlp_sizes)
    ]
    sizes.sort(key=lambda size: (size & (size - 1) == 0, size), reverse=True)
    return [(size, num_devices // size) for size in sizes]


def reserve_bytes(shape: ModelShape, machine: Machine, *, tensor_parallel: int) -> int:
    """Memory of one device that is for neither weights nor cache: activations, graphs, buffers.

    Activations at their peak are what an MLP holds of one step's tokens (its two inputs and their
    product), the residual stream beside it, and one step's logits.
    """
    num_tokens = BATCHED_TOKENS[machine.kind]
    activations = num_tokens * 2 * (3 * shape.mlp_width // tensor_parallel + 4 * shape.hidden_size)
    logits = SAMPLED_SEQUENCES * shape.vocab_size * SAMPLING_BYTES
    unpacked = shape.latent.unpacked_values // tensor_parallel if shape.latent else 0
    changing = activations + logits + LATENT_PREFILL_TOKENS * 2 * unpacked
    if machine.kind == "cpu":
        return CPU_ENGINE_BYTES + changing
    links = LINK_BYTES if machine.num_devices > 1 else 0
    return ENGINE_BYTES + links + GRAPH_BYTES + changing


def _stages(layers: Sequence[Layer], num_stages: int) -> list[Sequence[Layer]]:
    """Layers of each stage; what does not divide goes to those before the last, from the back.

    As vLLM's get_pp_indices: the last stage has the output head already.
    """
    sizes = [len(layers) // num_stages] * num_stages
    for place in range(len(layers) % num_stages):
        sizes[-2 - place] += 1
    starts = [sum(sizes[:place]) for place in range(num_stages)]
    return [layers[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def _layer_bytes(
    shape: ModelShape, layers: Sequence[Layer], tensor_parallel: int, weight_format: WeightFormat
) -> int:
    per_weight = BYTES_PER_WEIGHT[weight_format]
    kv_split = min(tensor_parallel, shape.num_kv_heads)
    derived = shape.latent.absorbed_values / tensor_parallel if shape.latent else 0
    return int(
        sum(
            (layer.split / tensor_parallel + layer.split_by_kv_head / kv_split) * per_weight
            + (layer.replicated + derived) * UNQUANTISED_BYTES
            for layer in layers
        )
    )


def _table_bytes(
    shape: ModelShape,
    tensor_parallel: int,
    *,
    is_first: bool,
    is_last: bool,
    keeps_packed_head: bool,
) -> int:
    """Input table, output head and last norm of a stage.

    keeps_packed_head: a CPU engine multiplies with a copy of the head in another order, and drops
    the original only where it is not the input table too.
    """
    own_head = not shape.tied_embeddings or not is_first or keeps_packed_head
    num_tables = int(is_first) + int(is_last and own_head)
    values = num_tables * shape.embedding_parameters / tensor_parallel + shape.hidden_size
    return int(values * UNQUANTISED_BYTES)


def _block_tokens(shape: ModelShape, machine: Machine) -> int:
    if machine.kind == "cpu":
        return BLOCK_TOKENS
    return LATENT_BLOCK_TOKENS if shape.latent else GPU_BLOCK_TOKENS
