"""A dense decoder's size, from the few fields of its config that memory and speed depend on.

Covers the Llama and Qwen2 families: grouped-query attention, gated MLP, RMS norms. The counts equal
what transformers builds. Sources: arXiv:2307.09288, arXiv:2407.10671, arXiv:2305.13245.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.errors import ShapeUnknown

_KNOWN = ("LlamaForCausalLM", "Qwen2ForCausalLM")


@dataclass(frozen=True, kw_only=True)
class TrainedShape:
    """Sizes in values, not bytes. has_qkv_bias: Qwen2's layers have one, Llama's none."""

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    has_tied_tables: bool = False
    has_qkv_bias: bool = False

    @property
    def layer_parameters(self) -> int:
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        attention = 2 * self.hidden * queries + 2 * self.hidden * keys
        bias = self.has_qkv_bias * (queries + 2 * keys)
        return attention + bias + 3 * self.hidden * self.intermediate + 2 * self.hidden

    @property
    def table_parameters(self) -> int:
        """Of the input table; the output head has as many."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All of them; tied tables count once."""
        tables = self.table_parameters * (1 if self.has_tied_tables else 2)
        return self.layers * self.layer_parameters + tables + self.hidden

    @property
    def multiplied_parameters(self) -> int:
        """Those that a token is multiplied with: all layers and the head, not the input table."""
        return self.layers * self.layer_parameters + self.table_parameters

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of a token over all layers, in 16 bits."""
        return 2 * 2 * self.layers * self.kv_heads * self.head_dim

    def lora_parameters(self, rank: int) -> int:
        """Adapters of that rank on all seven matrices of every layer: rank x (in + out) each.

        Source: arXiv:2106.09685.
        """
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        sides = 2 * (self.hidden + queries) + 2 * (self.hidden + keys)
        return self.layers * rank * (sides + 3 * (self.hidden + self.intermediate))


def shape_from_config(config: Mapping[str, Any], *, name: str) -> TrainedShape:
    """Read a Hugging Face config. Raises ShapeUnknown."""
    architectures = config.get("architectures") or ["none"]
    if architectures[0] not in _KNOWN:
        raise ShapeUnknown(
            f"{name} has the architecture {architectures[0]}: the plan knows {' and '.join(_KNOWN)};"
            " measure a training step instead"
        )
    try:
        heads = _count(config, "num_attention_heads", name)
        hidden = _count(config, "hidden_size", name)
        return TrainedShape(
            name=name,
            hidden=hidden,
            layers=_count(config, "num_hidden_layers", name),
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or hidden // heads,
            intermediate=_count(config, "intermediate_size", name),
            vocabulary=_count(config, "vocab_size", name),
            has_tied_tables=bool(config.get("tie_word_embeddings")),
            has_qkv_bias=architectures[0] == "Qwen2ForCausalLM"
            or bool(config.get("attention_bias")),
        )
    except KeyError as error:
        raise ShapeUnknown(
            f"the config of {name} has no {error.args[0]!r}, which its size depends on; fetch the"
            " model again"
        ) from None


def _count(config: Mapping[str, Any], key: str, name: str) -> int:
    value = config[key]
    if not isinstance(value, int) or value < 1:
        raise ShapeUnknown(
            f"the config of {name} says {key} is {value!r}: it must be a positive whole number; fetch"
            " the model again"
        )
    return value
