"""Log-probs of given tokens from hidden states, without ever holding logits for all of them.

For token t with hidden state h, output layer W, target y and temperature T, with z = W h / T:

    log p(y)  = z_y - logsumexp(z)              d/dz_v = 1[v = y] - p_v
    entropy H = logsumexp(z) - sum_v p_v z_v    d/dz_v = -p_v (log p_v + H)

One sequence of 32K tokens over a vocabulary of 152K has 20 GB of float32 logits, and autograd would keep
a copy or two. Here logits exist for one chunk of tokens at a time, forward and again backward; a chunk
loop that keeps its logits for backward bounds nothing (NVIDIA-NeMo/RL#4222). It costs one more product
with W.

The temperature divides the logits before the softmax, as the sampler does it. Log-probs divided by T
afterwards are another thing and wrong (PrimeIntellect-ai/prime-rl#697).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainer.errors import ObjectiveInvalid

CHUNK_BYTES = 64 * 1024 * 1024
"""Float32 logits held at a time; about three times as much is in use. Forward and backward of 1,024
tokens, width 576, vocabulary 49K on one core: 3.65 s at 16 MiB, 3.4 s at 64, 3.3 s at 256; 2.2 s with
all logits kept by autograd."""

_CHUNK_MULTIPLE = 32
"""A chunk of an odd length would leave the last one any length at all."""


@dataclass(frozen=True, kw_only=True)
class TokenLogProbs:
    """float32, or float64 for float64 hidden states. entropy_T only where it was asked for."""

    log_probs_T: Tensor
    entropy_T: Tensor | None


def token_log_probs(
    hidden_TD: Tensor,
    output_VD: Tensor,
    targets_T: Tensor,
    *,
    temperature: float,
    with_entropy: bool = False,
    chunk_bytes: int = CHUNK_BYTES,
) -> TokenLogProbs:
    """Log-probs (and entropies) of targets_T at the sampling temperature, with gradients.

    The product with the output layer is in the type that it would have in the model (autocast's
    where that is on), the softmax in float32 or better. output_VD gets a gradient only if it wants
    one, so a frozen layer costs no memory for it. Raises ObjectiveInvalid for a temperature of 0 or
    less: greedy sampling has no policy gradient.
    """
    if temperature <= 0.0:
        raise ObjectiveInvalid(
            f"the temperature is {temperature}: a policy gradient needs a temperature above 0, the one"
            " that the tokens were sampled at; DeepCoder's is 0.6"
        )
    num_chunk_tokens = max(1, chunk_bytes // (4 * output_VD.shape[0]))
    num_chunk_tokens -= (
        num_chunk_tokens % _CHUNK_MULTIPLE if num_chunk_tokens > _CHUNK_MULTIPLE else 0
    )
    log_probs_T, entropy_T = _ChunkedLogProbs.apply(
        hidden_TD, output_VD, targets_T, temperature, with_entropy, num_chunk_tokens
    )
    return TokenLogProbs(log_probs_T=log_probs_T, entropy_T=entropy_T)


def masked_log_probs(
    hidden_BTD: Tensor,
    output_VD: Tensor,
    targets_BT: Tensor,
    mask_BT: Tensor,
    *,
    temperature: float,
    with_entropy: bool = False,
    multiple: int = 1,
) -> tuple[Tensor, Tensor | None]:
    """Log-probs and entropies in the batch's own shape, computed where the mask holds, 0 elsewhere.

    Prompts and padding meet neither the output layer nor its gradient. multiple: trained tokens are
    filled up to one with zeros, so that products have few shapes.
    """
    hidden_TD, targets_T = hidden_BTD[mask_BT], targets_BT[mask_BT]
    if num_more := -len(targets_T) % multiple:
        hidden_TD = torch.cat([hidden_TD, hidden_TD.new_zeros(num_more, hidden_TD.shape[1])])
        targets_T = torch.cat([targets_T, targets_T.new_zeros(num_more)])
    found = token_log_probs(
        hidden_TD, output_VD, targets_T, temperature=temperature, with_entropy=with_entropy
    )
    zeros_BT = found.log_probs_T.new_zeros(mask_BT.shape)
    # What was filled up comes last, and is left over.
    log_probs_BT = zeros_BT.masked_scatter(mask_BT, found.log_probs_T)
    if found.entropy_T is None:
        return log_probs_BT, None
    return log_probs_BT, zeros_BT.masked_scatter(mask_BT, found.entropy_T)


class _ChunkedLogProbs(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any,
        hidden_TD: Tensor,
        output_VD: Tensor,
        targets_T: Tensor,
        temperature: float,
        with_entropy: bool,
        num_chunk_tokens: int,
    ) -> tuple[Tensor, Tensor | None]:
        ctx.save_for_backward(hidden_TD, output_VD, targets_T)
        # An entropy that is only counted has no gradient, and costs none.
        ctx.set_materialize_grads(False)
        ctx.constants = (temperature, num_chunk_tokens)
        ctx.product_type = _product_type(hidden_TD)
        weights_VD = output_VD.to(ctx.product_type)
        softmax_type = _softmax_type(hidden_TD)
        log_probs_T = hidden_TD.new_empty(len(hidden_TD), dtype=softmax_type)
        entropy_T = torch.empty_like(log_probs_T) if with_entropy else None
        with torch.autocast(hidden_TD.device.type, enabled=False):
            for span in _spans(len(hidden_TD), num_chunk_tokens):
                logits_TV = _logits(hidden_TD[span], weights_VD, temperature, softmax_type)
                picked_T = logits_TV.gather(1, targets_T[span, None]).squeeze(1)
                normaliser_T = logits_TV.logsumexp(dim=1)
                log_probs_T[span] = picked_T - normaliser_T
                if entropy_T is not None:
                    # -inf logits of a masked vocabulary have probability 0, and 0 times -inf is NaN.
                    probs_TV = (logits_TV - normaliser_T[:, None]).exp_()
                    mean_T = probs_TV.mul_(logits_TV.clamp_(min=-1e30)).sum(dim=1)
                    entropy_T[span] = normaliser_T - mean_T
        return log_probs_T, entropy_T

    @staticmethod
    def backward(
        ctx: Any, grad_log_probs_T: Tensor | None, grad_entropy_T: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, None, None, None, None]:
        hidden_TD, output_VD, targets_T = ctx.saved_tensors
        temperature, num_chunk_tokens = ctx.constants
        if grad_log_probs_T is None:
            if grad_entropy_T is None:
                return None, None, None, None, None, None
            grad_log_probs_T = torch.zeros_like(grad_entropy_T)
        weights_VD = output_VD.to(ctx.product_type)
        wants_hidden, wants_output = ctx.needs_input_grad[:2]
        softmax_type = _softmax_type(hidden_TD)
        grad_hidden_TD = torch.empty_like(hidden_TD) if wants_hidden else None
        # Summed over the chunks in full precision: bfloat16 would drop small shares.
        grad_output_VD = torch.zeros_like(output_VD, dtype=softmax_type) if wants_output else None
        with torch.autocast(hidden_TD.device.type, enabled=False):
            for span in _spans(len(hidden_TD), num_chunk_tokens):
                logits_TV = _logits(hidden_TD[span], weights_VD, temperature, softmax_type)
                grad_logits_TV = _logit_gradients(
                    logits_TV,
                    targets_T[span],
                    grad_log_probs_T[span],
                    None if grad_entropy_T is None else grad_entropy_T[span],
                )
                grad_logits_TV = grad_logits_TV.div_(temperature).to(ctx.product_type)
                if grad_hidden_TD is not None:
                    grad_hidden_TD[span] = (grad_logits_TV @ weights_VD).to(hidden_TD.dtype)
                if grad_output_VD is not None:
                    grad_output_VD += grad_logits_TV.t() @ hidden_TD[span].to(ctx.product_type)
        if grad_output_VD is not None:
            grad_output_VD = grad_output_VD.to(output_VD.dtype)
        return grad_hidden_TD, grad_output_VD, None, None, None, None


def _logit_gradients(
    logits_TV: Tensor, targets_T: Tensor, grad_log_probs_T: Tensor, grad_entropy_T: Tensor | None
) -> Tensor:
    """The gradient in the divided logits; logits_TV is used up."""
    log_TV = logits_TV.sub_(logits_TV.logsumexp(dim=1, keepdim=True))
    probs_TV = log_TV.exp()
    if grad_entropy_T is None:
        grad_TV = probs_TV.mul_(-grad_log_probs_T[:, None])
    else:
        log_TV = log_TV.clamp_(min=-1e30)
        entropy_TV = -(probs_TV * log_TV).sum(dim=1, keepdim=True)
        factor_TV = log_TV.add_(entropy_TV).mul_(grad_entropy_T[:, None])
        grad_TV = probs_TV.mul_(factor_TV.add_(grad_log_probs_T[:, None]).neg_())
    return grad_TV.scatter_add_(1, targets_T[:, None], grad_log_probs_T[:, None])


def _logits(
    hidden_TD: Tensor, weights_VD: Tensor, temperature: float, softmax_type: torch.dtype
) -> Tensor:
    logits_TV = hidden_TD.to(weights_VD.dtype) @ weights_VD.t()
    return logits_TV.to(softmax_type).div_(temperature)


def _product_type(hidden_TD: Tensor) -> torch.dtype:
    kind = hidden_TD.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden_TD.dtype


def _softmax_type(hidden_TD: Tensor) -> torch.dtype:
    return torch.float64 if hidden_TD.dtype == torch.float64 else torch.float32


def _spans(num_tokens: int, num_chunk_tokens: int) -> list[slice]:
    starts = range(0, num_tokens, num_chunk_tokens)
    return [slice(start, min(start + num_chunk_tokens, num_tokens)) for start in starts]
