"""Attention within blocks of one long row: samples laid end to end that do not see each other.

Registered with transformers under `NAME`; the model's call carries the blocks. Each block is attended to
by itself, so a row costs the sum of its blocks' squares, no mask spans the whole row, and none of it is
padding. On a GPU every block goes to torch's own kernels. On a CPU those are slow in bfloat16 (74 ms
forward and backward for 6 blocks of 336 tokens, 9 heads, on one core); the products below take 33 ms,
and like those kernels keep no scores for backward but make them again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

NAME = "codeloop_blocks"
CHUNK_QUERIES = 512
"""Scores exist for so many queries at a time; keys after a chunk's last query are never looked at."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Positions start to end of a row, which see none outside.

    hidden_TT: True where a position (first axis) does not see another; at least all that come after
    it. None where it sees all that come before it.
    """

    start: int
    end: int
    hidden_TT: Tensor | None = None

    def to(self, device: "torch.device | str") -> "Block":
        if self.hidden_TT is None:
            return self
        return Block(start=self.start, end=self.end, hidden_TT=self.hidden_TT.to(device))


def register() -> None:
    """Make `NAME` known to transformers; again does nothing more."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _no_mask)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    blocks: Sequence[Block] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """As transformers calls it: query [B, H, T, D], key and value [B, K, T, D], K dividing H.

    The answer is [B, T, H, D]. Without blocks every row is one causal block.
    """
    scale = 1.0 / math.sqrt(query.shape[-1]) if scaling is None else scaling
    if blocks is None:
        length = query.shape[2]
        found = [_attend(query, key, value, Block(start=0, end=length), scale)]
    else:
        assert len(query) == 1
        found = [
            _attend(
                query[:, :, block.start : block.end],
                key[:, :, block.start : block.end],
                value[:, :, block.start : block.end],
                block,
                scale,
            )
            for block in blocks
        ]
    return torch.cat(found, dim=2).transpose(1, 2), None


def _attend(query: Tensor, key: Tensor, value: Tensor, block: Block, scale: float) -> Tensor:
    if query.device.type == "cpu" and query.dtype is torch.bfloat16:
        found: Tensor = _Products.apply(query, key, value, block.hidden_TT, scale)
        return found
    is_causal = block.hidden_TT is None
    return scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=None if block.hidden_TT is None else ~block.hidden_TT,
        is_causal=is_causal,
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )


def _no_mask(*_: Any, **__: Any) -> None:
    """In place of transformers' own masks: the blocks say who sees whom."""


class _Products(torch.autograd.Function):  # type: ignore[misc]
    """softmax(scale Q K^T) V by matrix products, chunk by chunk of queries."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        hidden_TT: Tensor | None,
        scale: float,
    ) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.hidden_TT, ctx.scale = hidden_TT, scale
        found = torch.empty_like(query, memory_format=torch.contiguous_format)
        for start, end in _chunks(query.shape[2]):
            probs = _probs(query, key, hidden_TT, scale, start, end)
            mixed = probs @ value[:, :, :end]
            found[:, :, start:end] = _by_head(mixed, query, end - start)
        return found

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value = ctx.saved_tensors
        grad_query = torch.empty_like(query, memory_format=torch.contiguous_format)
        grad_key = torch.zeros_like(key, dtype=torch.float32)
        grad_value = torch.zeros_like(value, dtype=torch.float32)
        for start, end in _chunks(query.shape[2]):
            probs = _probs(query, key, ctx.hidden_TT, ctx.scale, start, end)
            grad_mixed = _by_key_head(grad[:, :, start:end], key)
            grad_value[:, :, :end] += probs.transpose(2, 3) @ grad_mixed
            grad_probs = grad_mixed @ value[:, :, :end].transpose(2, 3)
            grad_scores = torch._softmax_backward_data(grad_probs, probs, -1, probs.dtype)
            own = (grad_scores @ key[:, :, :end]).mul_(ctx.scale)
            grad_query[:, :, start:end] = _by_head(own, query, end - start)
            asked = _by_key_head(query[:, :, start:end], key) * ctx.scale
            grad_key[:, :, :end] += grad_scores.transpose(2, 3) @ asked
        return (
            grad_query,
            grad_key.to(key.dtype),
            grad_value.to(value.dtype),
            None,
            None,
        )


def _probs(
    query: Tensor, key: Tensor, hidden_TT: Tensor | None, scale: float, start: int, end: int
) -> Tensor:
    """Of the queries start to end, those that share keys one below the other: [B, K, R T, T]."""
    asked = _by_key_head(query[:, :, start:end], key) * scale
    scores = asked @ key[:, :, :end].transpose(2, 3)
    by_query = scores.view(len(scores), key.shape[1], -1, end - start, end)
    # Added, for masked_fill_ with a mask to be spread takes three times as long.
    if hidden_TT is None:
        later_TT = torch.ones(end - start, end - start, dtype=torch.bool).triu(1)
        by_query[..., start:].add_(_bias(later_TT, scores.dtype))
    else:
        by_query.add_(_bias(hidden_TT[start:end, :end], scores.dtype))
    return scores.softmax(dim=-1)


def _bias(hidden_TT: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(hidden_TT.shape, dtype=dtype).masked_fill_(hidden_TT, -torch.inf)


def _by_key_head(by_head: Tensor, key: Tensor) -> Tensor:
    """[B, H, T, D] to [B, K, R T, D]: heads that share a key head lie next to each other."""
    return by_head.reshape(len(by_head), key.shape[1], -1, by_head.shape[3])


def _by_head(mixed: Tensor, query: Tensor, num_queries: int) -> Tensor:
    return mixed.view(len(mixed), query.shape[1], num_queries, query.shape[3])


def _chunks(length: int) -> list[tuple[int, int]]:
    starts = range(0, length, CHUNK_QUERIES)
    return [(start, min(start + CHUNK_QUERIES, length)) for start in starts]
