"""Rows in which the answers of one prompt share it: it is fed and worked through once for all of them.

A section of a row is the prompt without its last token, then for each answer a branch: the prompt's last
token and the answer without its own last. So each position of a branch predicts one token, as
everywhere, and a branch is as long as its answer:

    fed         p0 p1 p2 | p3 a0 a1 | p3 b0 b1 b2
    predicts     -  -  - | a0 a1 a2 | b0 b1 b2 b3
    position     0  1  2 |  3  4  5 |  3  4  5  6

A branch sees the prompt and itself. Sections lie end to end in one row, a block of attention each.
Attention costs the square of a section: sharing pays for many short answers, not for few long ones. An
answer joins the section of its prompt only where that is cheaper than a section of its own.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainer.block_attention import Block
from trainer.packing import MicroBatch, Sample, padding_columns, sample_columns

LONGEST_SHARED = 4096
"""A mask of 4,096 squared is 16 MiB; past that it is what memory goes to."""

Section = tuple[int, ...]
"""Indices of the samples of one section: of one prompt, or one sample alone."""


def plan_sections(
    samples: Sequence[Sample],
    indices: Sequence[int],
    *,
    budget_tokens: int,
    linear_tokens: int,
    can_share: bool = True,
) -> list[Section]:
    """The samples at the indices dealt into sections, answers of one prompt together where it pays.

    linear_tokens: the length at which attention costs as much as the rest of the model, about six
    times its hidden size; a section of T tokens costs T * (T + linear_tokens).
    """
    if not can_share:
        return [(index,) for index in indices]
    by_prompt: dict[tuple[int, ...], list[int]] = {}
    for index in indices:
        by_prompt.setdefault(tuple(samples[index].prompt_ids), []).append(index)
    most = min(budget_tokens, LONGEST_SHARED)
    sections: list[Section] = []
    for prompt_ids, members in by_prompt.items():
        together: list[int] = []
        width = len(prompt_ids) - 1
        # The short first: they gain most, and one long answer would close the section to them.
        for index in sorted(members, key=lambda index: (samples[index].num_tokens, index)):
            branch = len(samples[index].answer_ids)
            joined, alone = width + branch, len(prompt_ids) + branch
            extra = _cost(joined, linear_tokens) - _cost(width, linear_tokens)
            if together and (joined > most or extra > _cost(alone, linear_tokens)):
                sections.append(tuple(together))
                together, width = [], len(prompt_ids) - 1
            together.append(index)
            width += branch
        sections.append(tuple(together))
    return sections


def section_length(samples: Sequence[Sample], section: Section) -> int:
    """Tokens that the section feeds."""
    num_answers = sum(len(samples[index].answer_ids) for index in section)
    return len(samples[section[0]].prompt_ids) - 1 + num_answers


def lay_out(
    samples: Sequence[Sample], sections: Sequence[Section], *, multiple: int = 1
) -> MicroBatch:
    """One row of the sections, each rounded up to a multiple; without sections one of padding alone."""
    columns: list[dict[str, Tensor]] = []
    blocks: list[Block] = []
    start = num_sequences = 0
    for section in sections:
        num_padding = -section_length(samples, section) % multiple
        columns.extend(_columns(samples, section, num_sequences))
        columns.append(padding_columns(num_padding))
        hidden_TT = _hidden_TT(samples, section, num_padding) if len(section) > 1 else None
        end = start + section_length(samples, section) + num_padding
        blocks.append(Block(start=start, end=end, hidden_TT=hidden_TT))
        start, num_sequences = end, num_sequences + len(section)
    if not sections:
        columns.append(padding_columns(multiple))
        blocks.append(Block(start=0, end=multiple))
    return MicroBatch(
        **{name: torch.cat([column[name] for column in columns])[None] for name in columns[0]},
        sample_index_S=torch.tensor(
            [index for section in sections for index in section], dtype=torch.long
        ),
        blocks=tuple(blocks),
    )


def _columns(
    samples: Sequence[Sample], section: Section, first_sequence: int
) -> list[dict[str, Tensor]]:
    num_shared = len(samples[section[0]].prompt_ids) - 1
    parts = []
    for place, index in enumerate(section):
        column = sample_columns(samples[index], first_sequence + place)
        if place == 0:
            parts.append({name: values[:num_shared] for name, values in column.items()})
        parts.append({name: values[num_shared:-1] for name, values in column.items()})
    return parts


def _hidden_TT(samples: Sequence[Sample], section: Section, num_padding: int) -> Tensor:
    """True where a position does not see another: the later ones, and the other branches.

    Padding is a branch of its own: it sees the prompt, for a softmax over nothing would be NaN.
    """
    num_answers_S = [len(samples[index].answer_ids) for index in section]
    num_shared = len(samples[section[0]].prompt_ids) - 1
    branch_T = torch.repeat_interleave(
        torch.arange(len(section) + 2), torch.tensor([num_shared, *num_answers_S, num_padding])
    )
    is_other_TT = (branch_T[:, None] != branch_T[None, :]) & (branch_T != 0)[None, :]
    return is_other_TT | torch.ones_like(is_other_TT).triu(1)


def _cost(width: int, linear_tokens: int) -> int:
    return width * (width + linear_tokens)
