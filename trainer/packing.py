"""Samples laid out for the learner: rows of tokens, in micro-batches that take all ranks equally long.

Every per-token tensor of a MicroBatch is aligned with the position that *predicts* the token: at
position t lie the token's input, `targets_BT` its successor, and in mask, log-probs, versions and
advantages what belongs to that successor. So `hidden[mask]` and `targets[mask]` go together, and the
last position of a sample is never trained.

Two layouts with the same meaning. Packed: one row, samples end to end, position ids starting anew at
each; the model reads the borders from them, as flash attention's kernel for variable lengths does.
transformers does so only without an attention mask and with `use_cache=False`: otherwise a sample
silently sees those before it (masking_utils; the loss of a small batch was off by 2%). Padded: a row a
sample, padding on the right, which a causal model never looks at, so no attention mask is needed
either. Without flash attention a packed row costs the square of its whole length; pad then.
A third layout, for the answers of one prompt, is in `shared_prompt`; it says itself who sees whom.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from trainer.block_attention import Block
from trainer.errors import BatchInvalid

NO_SEQUENCE = -1
_IGNORED_TOKEN = 0
_ROUNDING = 1e-3
"""How far above 0 a sampler's log-prob may lie: bfloat16 kernels round."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One rollout as the learner needs it.

    behaviour_log_probs, policy_versions: one for each answer token, as the sampler told them.
    advantage: every token's. is_trained: False keeps its tokens out of the loss and its denominator.
    proximal_log_probs: the learner's own when the iteration began, for steps after its first one; None
    where they are those of the step's own weights.
    """

    prompt_ids: Sequence[int]
    answer_ids: Sequence[int]
    behaviour_log_probs: Sequence[float]
    policy_versions: Sequence[int]
    advantage: float
    is_trained: bool = True
    proximal_log_probs: Sequence[float] | None = None

    def __post_init__(self) -> None:
        """Refuse counts that disagree: one token off, and every log-prob is another token's."""
        counts = {len(self.answer_ids), len(self.behaviour_log_probs), len(self.policy_versions)}
        if self.proximal_log_probs is not None:
            counts.add(len(self.proximal_log_probs))
        if len(counts) != 1 or not self.prompt_ids or not self.answer_ids:
            raise BatchInvalid(
                f"a sample has {len(self.prompt_ids)} prompt tokens, {len(self.answer_ids)} answer tokens,"
                f" {len(self.behaviour_log_probs)} log-probs and {len(self.policy_versions)} versions:"
                " the last three agree and none is 0; the sampler left tokens out or added some"
            )
        # A sum is finite only if every part of it is; min and max pass over NaN.
        most, total = max(self.behaviour_log_probs), sum(self.behaviour_log_probs)
        if not (math.isfinite(total) and math.isfinite(self.advantage)) or most > _ROUNDING:
            raise BatchInvalid(
                f"a sample's log-probs sum to {total}, the highest is {most}, and its advantage is"
                f" {self.advantage}: log-probs are finite and at most 0, and an advantage is finite;"
                " look at the sampler"
            )

    @property
    def num_tokens(self) -> int:
        return len(self.prompt_ids) + len(self.answer_ids)


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """Rows of one forward pass; what its tensors mean is at the top of this file.

    sequence_BT: whose position it is, from 0 within the micro-batch; NO_SEQUENCE for padding.
    sample_index_S: each sequence's place in the list that the micro-batches were made of.
    proximal_log_probs_BT: NaN where a sample has none. blocks: who sees whom in a lone row, for
    `block_attention`; None where the layout alone says so.
    """

    token_ids_BT: Tensor
    position_ids_BT: Tensor
    sequence_BT: Tensor
    targets_BT: Tensor
    mask_BT: Tensor
    behaviour_log_probs_BT: Tensor
    advantages_BT: Tensor
    versions_BT: Tensor
    proximal_log_probs_BT: Tensor
    sample_index_S: Tensor
    blocks: tuple[Block, ...] | None = None

    @property
    def num_fed_tokens(self) -> int:
        """Tokens that the model is given, padding included."""
        return int(self.token_ids_BT.numel())

    def to(self, device: "torch.device | str") -> "MicroBatch":
        moved = {
            field.name: getattr(self, field.name).to(device, non_blocking=True)
            for field in fields(self)
            if field.name != "blocks"
        }
        blocks = None if self.blocks is None else tuple(one.to(device) for one in self.blocks)
        return replace(self, **moved, blocks=blocks)


def pack(samples: Sequence[Sample], indices: Sequence[int], *, multiple: int = 1) -> MicroBatch:
    """One row of the samples at the indices; its length is rounded up to a multiple.

    Without any index it is a row of padding that trains nothing: a rank which has run out of
    samples still takes part in every collective operation.
    """
    columns = [sample_columns(samples[index], place) for place, index in enumerate(indices)]
    length = sum(len(column["token_ids_BT"]) for column in columns)
    num_padding = -length % multiple if length else multiple
    if num_padding:
        columns.append(padding_columns(num_padding))
    row = {name: torch.cat([column[name] for column in columns])[None] for name in columns[0]}
    return MicroBatch(**row, sample_index_S=torch.tensor(indices, dtype=torch.long))


def pad(samples: Sequence[Sample], indices: Sequence[int], *, multiple: int = 1) -> MicroBatch:
    """A row for each of the samples at the indices, as long as the longest, rounded up."""
    if not indices:
        return pack(samples, indices, multiple=multiple)
    longest = max(samples[index].num_tokens for index in indices)
    width = longest + -longest % multiple
    rows = []
    for place, index in enumerate(indices):
        column, num_padding = (
            sample_columns(samples[index], place),
            width - samples[index].num_tokens,
        )
        if num_padding:
            padding = padding_columns(num_padding)
            # Positions that went back to 0 would look like a second sample of a packed row.
            padding["position_ids_BT"] += samples[index].num_tokens
            column = {name: torch.cat([part, padding[name]]) for name, part in column.items()}
        rows.append(column)
    stacked = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    return MicroBatch(**stacked, sample_index_S=torch.tensor(indices, dtype=torch.long))


def sample_columns(sample: Sample, place: int) -> dict[str, Tensor]:
    """One sample's tokens as the fields of a MicroBatch without their B; place: its sequence."""
    token_ids = torch.tensor([*sample.prompt_ids, *sample.answer_ids], dtype=torch.long)
    num_tokens, first = len(token_ids), len(sample.prompt_ids) - 1
    answer = slice(first, num_tokens - 1)
    column = padding_columns(num_tokens)
    column["token_ids_BT"] = token_ids
    column["sequence_BT"].fill_(place)
    column["targets_BT"][:-1] = token_ids[1:]
    column["mask_BT"][answer] = sample.is_trained
    column["behaviour_log_probs_BT"][answer] = torch.tensor(sample.behaviour_log_probs)
    column["advantages_BT"][answer] = sample.advantage
    column["versions_BT"][answer] = torch.tensor(sample.policy_versions)
    if sample.proximal_log_probs is not None:
        column["proximal_log_probs_BT"][answer] = torch.tensor(sample.proximal_log_probs)
    return column


def padding_columns(num_tokens: int) -> dict[str, Tensor]:
    """Positions that train nothing, in the same form."""
    return {
        "token_ids_BT": torch.full((num_tokens,), _IGNORED_TOKEN),
        "position_ids_BT": torch.arange(num_tokens),
        "sequence_BT": torch.full((num_tokens,), NO_SEQUENCE),
        "targets_BT": torch.full((num_tokens,), _IGNORED_TOKEN),
        "mask_BT": torch.zeros(num_tokens, dtype=torch.bool),
        "behaviour_log_probs_BT": torch.zeros(num_tokens),
        "advantages_BT": torch.zeros(num_tokens),
        "versions_BT": torch.zeros(num_tokens, dtype=torch.long),
        "proximal_log_probs_BT": torch.full((num_tokens,), math.nan),
    }
