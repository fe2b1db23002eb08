"""What a token's term is divided by, told for the whole optimiser step before any part of it is run.

With N the trained tokens of the step, S its trained sequences, over every micro-batch of every rank:

    global_token    1 / N                       every token alike: DAPO, arXiv:2503.14476; TRL "dapo"
    sequence_mean   1 / (S |o_i|)               every answer alike: GRPO, arXiv:2402.03300; TRL "grpo"
    constant        1 / (S L)                   no length in it: Dr. GRPO, arXiv:2503.20783; TRL "dr_grpo"
    as_shipped      1 / (K N_micro)             mean of each micro-batch over a fixed count K: DeepCoder's
                                                trainer (rllm, dp_actor.py); TRL "bnpo"

As shipped, a step's gradient depends on how its samples fall into micro-batches; it is here to be
compared with.
"""

import enum
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.errors import BatchInvalid
from trainer.importance import sequence_sum


class Normaliser(enum.StrEnum):
    """What each token's term is divided by."""

    GLOBAL_TOKEN = "global_token"
    SEQUENCE_MEAN = "sequence_mean"
    CONSTANT = "constant"
    AS_SHIPPED = "as_shipped"


@dataclass(frozen=True, kw_only=True)
class StepTotals:
    """Counts of one optimiser step over all of its micro-batches on all ranks.

    num_tokens: trained tokens. num_sequences: sequences with a trained token.
    num_micro_batches: for as_shipped, accumulation count times ranks. constant_tokens: for constant,
    the L that stands for a length, such as the answer's limit.
    """

    num_tokens: int
    num_sequences: int
    num_micro_batches: int = 1
    constant_tokens: int = 1

    def __post_init__(self) -> None:
        """Refuse a step that trains nothing; to divide by its 0 would write NaN into the weights."""
        if min(vars(self).values()) < 1:
            raise BatchInvalid(
                f"the step's totals are {self}: each is at least 1; a step whose samples are all left"
                " out is to be skipped, not run"
            )


def token_weights(
    mask_BT: Tensor, sequence_BT: Tensor, totals: StepTotals, *, normaliser: Normaliser
) -> Tensor:
    """n_it for each trained token of a micro-batch, 0 elsewhere; float64, and so is the loss then.

    By every kind but as_shipped the weights of a step do not depend on its split into micro-batches.
    sequence_BT: whose token it is, from 0 within this micro-batch; a sequence is never split.
    """
    ones_BT = mask_BT.to(torch.float64)
    if normaliser is Normaliser.GLOBAL_TOKEN:
        return ones_BT / totals.num_tokens
    if normaliser is Normaliser.CONSTANT:
        return ones_BT / (totals.num_sequences * totals.constant_tokens)
    if normaliser is Normaliser.AS_SHIPPED:
        return ones_BT / (totals.num_micro_batches * ones_BT.sum().clamp(min=1.0))
    lengths_BT = sequence_sum(ones_BT, mask_BT, sequence_BT).clamp(min=1.0)
    return ones_BT / (totals.num_sequences * lengths_BT)
