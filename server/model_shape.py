"""What a model weighs and what one token of its context costs, from its config alone.

The counts are exact: they equal what transformers builds from the same config. Sources: Llama
arXiv:2307.09288, grouped-query attention arXiv:2305.13245, Qwen2 arXiv:2407.10671, multi-head
latent attention and DeepSeekMoE arXiv:2405.04434.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from server.errors import ModelError

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Parameters of one layer, by how tensor parallelism divides them.

    split: divided among all GPUs. split_by_kv_head: divided among at most as many GPUs as there
    are KV heads. replicated: whole on every GPU (norms, routers, latent projections).
    idle: those of `split` that one token does not use (experts it is not routed to).
    """

    split: int
    split_by_kv_head: int = 0
    replicated: int = 0
    idle: int = 0

    @property
    def total(self) -> int:
        return self.split + self.split_by_kv_head + self.replicated


@dataclass(frozen=True, kw_only=True)
class Latent:
    """Multi-head latent attention: one cached vector a token and layer, shared by all heads.

    cached_values: length of that vector. absorbed_values: values a layer of the two matrices that
    the engine derives from it and keeps beside the weights, over all heads.
    unpacked_values: values a token becomes, over all heads, while a long prompt is read.
    """

    cached_values: int
    absorbed_values: int
    unpacked_values: int


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """A model's size. Parameters and values are counts, not bytes.

    head_dim: values of one KV head of one token, for keys; unused with `latent`.
    mlp_width: the widest that one token becomes inside a layer's MLP, routed copies included.
    max_position_tokens: what the config says; a family may go past it by rope scaling.
    weight_format: how the checkpoint's matrices are stored.
    """

    name: str
    architecture: str
    layers: tuple[Layer, ...]
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    latent: Latent | None
    mlp_sizes: tuple[int, ...]
    """Intermediate sizes, each of which tensor parallelism must divide."""
    mlp_width: int
    vocab_size: int
    tied_embeddings: bool
    max_position_tokens: int
    weight_format: "WeightFormat"

    @property
    def embedding_parameters(self) -> int:
        """The input table; the output head is another of the same size unless they are tied."""
        return self.vocab_size * self.hidden_size

    @property
    def num_parameters(self) -> int:
        """All parameters; tied embeddings count once."""
        tables = self.embedding_parameters * (1 if self.tied_embeddings else 2)
        return sum(layer.total for layer in self.layers) + tables + self.hidden_size

    @property
    def num_active_parameters(self) -> int:
        """Parameters that one token is multiplied with, as makers of expert models count them.

        That leaves out the experts it is not routed to, and an input table that it only looks up.
        """
        looked_up = 0 if self.tied_embeddings else self.embedding_parameters
        return self.num_parameters - looked_up - sum(layer.idle for layer in self.layers)

    def kv_values_per_token(self, *, tensor_parallel: int = 1) -> int:
        """Values that one token keeps in one layer's cache, on one GPU.

        KV heads are divided among the GPUs down to one each; a latent vector is whole on each.
        """
        if self.latent:
            return self.latent.cached_values
        return 2 * self.head_dim * -(-self.num_kv_heads // tensor_parallel)

    def kv_bytes_per_token(self, *, bytes_per_value: float = 2) -> int:
        """Bytes that one token of context costs over all layers, on one GPU that holds them all."""
        return int(len(self.layers) * self.kv_values_per_token() * bytes_per_value)


WeightFormat = Literal["bf16", "fp8", "int8", "int4"]
"""bf16 stands for every 16-bit format, and for 32-bit checkpoints: the engine serves them in 16."""

BYTES_PER_WEIGHT: Mapping[WeightFormat, float] = {
    "bf16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.5 + 20 / 8 / 128,
}
"""int4: a 16-bit scale and a 4-bit zero for each group of 128 (AWQ, GPTQ)."""


def shape_of(config: Config, *, name: str) -> ModelShape:
    """The shape of the model with that Hugging Face config.

    name: for messages. Raises ModelError for an architecture that is not known, a key that is
    missing, or a quantisation that is not known.
    """
    architectures = config.get("architectures") or ["none"]
    architecture = next((a for a in architectures if a in _READERS), None)
    if architecture is None:
        raise ModelError(
            f"{name} has the architecture {architectures[0]}, whose size is not known here: known"
            f" are {', '.join(_READERS)}; serve it and read the memory from the engine's log"
        )
    try:
        return _READERS[architecture](config, name, architecture)
    except KeyError as error:
        raise ModelError(
            f"the config of {name} has no {error.args[0]!r}, which {architecture} needs; fetch the"
            " model again"
        ) from None


def _grouped_query(config: Config, name: str, architecture: str) -> ModelShape:
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads
    head_dim = config.get("head_dim") or hidden // heads
    mlp = config["intermediate_size"]
    is_qwen = architecture == "Qwen2ForCausalLM"
    # Qwen2 always has biases on q, k and v, and never on o; Llama has all four or none.
    qkv_bias = is_qwen or bool(config.get("attention_bias"))
    o_bias = not is_qwen and qkv_bias
    mlp_bias = not is_qwen and bool(config.get("mlp_bias"))
    layer = Layer(
        split=(hidden + qkv_bias) * heads * head_dim
        + heads * head_dim * hidden
        + 3 * hidden * mlp
        + mlp_bias * 2 * mlp,
        split_by_kv_head=2 * (hidden + qkv_bias) * kv_heads * head_dim,
        replicated=2 * hidden + (o_bias + mlp_bias) * hidden,
    )
    return ModelShape(
        name=name,
        architecture=architecture,
        layers=(layer,) * config["num_hidden_layers"],
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_dim=head_dim,
        latent=None,
        mlp_sizes=(mlp,),
        mlp_width=mlp,
        **_common(config, name),
    )


def _deepseek_v2(config: Config, name: str, architecture: str) -> ModelShape:
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    rank, rope = config["kv_lora_rank"], config["qk_rope_head_dim"]
    nope, value = config["qk_nope_head_dim"], config["v_head_dim"]
    dense, expert = config["intermediate_size"], config["moe_intermediate_size"]
    shared, chosen = config["n_shared_experts"], config["num_experts_per_tok"]
    num_experts, num_dense = config["n_routed_experts"], config["first_k_dense_replace"]
    if config.get("attention_bias") or config.get("moe_layer_freq", 1) != 1:
        raise ModelError(
            f"the config of {name} has attention_bias or a moe_layer_freq other than 1, which no"
            f" published {architecture} has; its size is not known here"
        )
    attention_split, attention_replicated = _latent_attention(config)
    dense_layer = Layer(
        split=attention_split + 3 * hidden * dense,
        replicated=attention_replicated,
    )
    expert_layer = Layer(
        split=attention_split + 3 * hidden * expert * (num_experts + shared),
        replicated=attention_replicated + hidden * num_experts,
        idle=3 * hidden * expert * (num_experts - chosen),
    )
    num_layers = config["num_hidden_layers"]
    return ModelShape(
        name=name,
        architecture=architecture,
        layers=(dense_layer,) * num_dense + (expert_layer,) * (num_layers - num_dense),
        num_heads=heads,
        num_kv_heads=1,
        head_dim=nope + rope,
        latent=Latent(
            cached_values=rank + rope,
            absorbed_values=rank * heads * (nope + value),
            unpacked_values=heads * (nope + value) + heads * (nope + rope),
        ),
        mlp_sizes=(dense, expert) if num_dense else (expert,),
        mlp_width=max(dense, (chosen + shared) * expert),
        **_common(config, name),
    )


def _latent_attention(config: Config) -> tuple[int, int]:
    """Parameters of one layer's attention and norms that are split, and that are replicated.

    Without a q_lora_rank (the Lite models) the query is one plain projection.
    """
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    rank, rope = config["kv_lora_rank"], config["qk_rope_head_dim"]
    nope, value = config["qk_nope_head_dim"], config["v_head_dim"]
    q_rank = config["q_lora_rank"]
    split = rank * heads * (nope + value) + heads * value * hidden
    replicated = 2 * hidden + hidden * (rank + rope) + rank
    if q_rank is None:
        return split + hidden * heads * (nope + rope), replicated
    return split + q_rank * heads * (nope + rope), replicated + hidden * q_rank + q_rank


def _common(config: Config, name: str) -> dict[str, Any]:
    return {
        "hidden_size": config["hidden_size"],
        "vocab_size": config["vocab_size"],
        "tied_embeddings": bool(config.get("tie_word_embeddings", False)),
        "max_position_tokens": config["max_position_embeddings"],
        "weight_format": _weight_format(config, name),
    }


def _weight_format(config: Config, name: str) -> WeightFormat:
    quantisation = config.get("quantization_config")
    if not quantisation:
        return "bf16"
    method, bits = quantisation.get("quant_method"), quantisation.get("bits")
    formats: Mapping[tuple[object, object], WeightFormat] = {
        ("fp8", None): "fp8", ("fbgemm_fp8", None): "fp8",
        ("awq", 4): "int4", ("gptq", 4): "int4", ("gptq", 8): "int8",
    }  # fmt: skip
    if (method, bits) not in formats:
        raise ModelError(
            f"the config of {name} has the quantisation {method!r} with bits {bits}, whose size is"
            " not known here: known are fp8, awq with 4 bits and gptq with 4 or 8; serve it and"
            " read the memory from the engine's log"
        )
    return formats[method, bits]


_READERS: Mapping[str, Callable[[Config, str, str], ModelShape]] = {
    "LlamaForCausalLM": _grouped_query,
    "Qwen2ForCausalLM": _grouped_query,
    "DeepseekV2ForCausalLM": _deepseek_v2,
}
