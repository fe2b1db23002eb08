"""What a learner's rank needs in memory, term by term.

N: parameters. A: adapter parameters. R: ranks that FSDP2 shards over. L, h, a, k, d, m, V: layers,
hidden, heads, KV heads, values of a head, intermediate, vocabulary. T: tokens of a micro-batch.
"""

from dataclasses import dataclass
from typing import Literal

from trainer.trained_shape import TrainedShape

GPU_RESERVE_BYTES = 3 * 2**30
"""CUDA context, NCCL buffers, workspaces; estimated."""

CPU_RESERVE_BYTES = 2**30
"""Interpreter and libraries; estimated."""

Method = Literal["full", "lora"]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One line of the sum. formula: in the letters of this module, in bytes."""

    what: str
    formula: str
    num_bytes: int
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """micro_batch_tokens: of packed sequences. chunk_tokens: rows of logits at once, 0 for all.

    ranks: 1 is a plain module under autocast, more are FSDP2 with bf16 compute and fp32 masters.
    Attention never holds its matrix of scores (arXiv:2205.14135).
    """

    shape: TrainedShape
    method: Method
    lora_rank: int
    ranks: int
    micro_batch_tokens: int
    chunk_tokens: int
    has_checkpointing: bool
    is_gpu: bool = True

    @property
    def trained_parameters(self) -> int:
        lora = self.shape.lora_parameters(self.lora_rank)
        return lora if self.method == "lora" else self.shape.parameters

    @property
    def total_bytes(self) -> int:
        return sum(term.num_bytes for term in self.terms())

    def terms(self) -> tuple[Term, ...]:
        """All of them, held at once; peaks that exclude each other are added all the same."""
        reserve = GPU_RESERVE_BYTES if self.is_gpu else CPU_RESERVE_BYTES
        return (
            *self._states(),
            *self._gathered(),
            *self._activations(),
            self._logits(),
            Term(what="libraries, estimated", formula="constant", num_bytes=reserve),
        )

    def _states(self) -> tuple[Term, ...]:
        trained, ranks = self.trained_parameters, self.ranks
        letter = "A" if self.method == "lora" else "N"
        zero = "ZeRO, arXiv:1910.02054"
        states = [
            ("fp32 master weights", 4, zero),
            ("AdamW's two moments", 8, zero),
            ("fp32 gradients", 4, zero),
        ]
        terms = [
            Term(
                what=what,
                formula=f"{size} {letter} / R",
                num_bytes=_share(size * trained, ranks),
                source=source,
            )
            for what, size, source in states
        ]
        if self.method == "lora":
            frozen = _share(2 * self.shape.parameters, ranks)
            terms.append(
                Term(
                    what="frozen bf16 weights",
                    formula="2 N / R",
                    num_bytes=frozen,
                    source="LoRA, arXiv:2106.09685",
                )
            )
        return tuple(terms)

    def _gathered(self) -> tuple[Term, ...]:
        shape = self.shape
        if self.ranks == 1:
            # LoRA's frozen weights are bf16 already, and there is nothing to gather.
            copy = 0 if self.method == "lora" else 2 * shape.parameters
            return (Term(what="bf16 copy under autocast", formula="2 N", num_bytes=copy),)
        largest = max(shape.layer_parameters, shape.table_parameters)
        unreduced = self.trained_parameters // shape.layers if self.method == "lora" else largest
        return (
            Term(
                what="gathered: 2 layers, 1 table",
                formula="2 (2 N_layer + V h)",
                num_bytes=2 * (2 * shape.layer_parameters + shape.table_parameters),
                source="FSDP2: the next layer is fetched ahead",
            ),
            Term(
                what="gradients before reduction",
                formula="(2 + 4) max(N_layer, V h)" if self.method == "full" else "(2 + 4) A / L",
                num_bytes=6 * unreduced,
                source="FSDP2: bf16, and fp32 to reduce",
            ),
        )

    def _activations(self) -> tuple[Term, ...]:
        shape, tokens = self.shape, self.micro_batch_tokens
        width = layer_bytes_per_token(shape)
        source = "counted as in arXiv:2205.05198"
        kept = 1 if self.has_checkpointing else shape.layers
        terms = [
            Term(
                what="activations of a layer" if kept == 1 else "activations of all layers",
                formula=f"{'' if kept == 1 else 'L '}T (14h + 4ad + 4kd + 4a + 12m)",
                num_bytes=kept * tokens * width,
                source=source,
            )
        ]
        if self.has_checkpointing:
            terms.append(
                Term(
                    what="checkpoints between layers",
                    formula="2 L T h",
                    num_bytes=2 * shape.layers * tokens * shape.hidden,
                    source=source,
                )
            )
        return tuple(terms)

    def _logits(self) -> Term:
        rows = min(self.chunk_tokens or self.micro_batch_tokens, self.micro_batch_tokens)
        return Term(
            what="logits of a chunk" if self.chunk_tokens else "logits of all tokens",
            formula=f"(2 + 4 + 4) {'chunk' if self.chunk_tokens else 'T'} V",
            num_bytes=10 * rows * self.shape.vocabulary,
            source="bf16, fp32, and their gradient",
        )


def layer_bytes_per_token(shape: TrainedShape) -> int:
    """What one layer keeps of a token for its backward pass, and the widest gradients there.

    Two norms: an fp32 input and a bf16 output each (12h). Attention: q, k, v and its output in bf16,
    and a log-sum in fp32 (4ad + 4kd + 4a). MLP: gate, up, activation and product in bf16 (8m).
    Gradients: of gate and up (4m) and of the residual (2h).
    """
    heads, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return 14 * shape.hidden + 4 * heads + 4 * keys + 4 * shape.heads + 12 * shape.intermediate


def _share(num_bytes: int, ranks: int) -> int:
    return -(-num_bytes // ranks)
