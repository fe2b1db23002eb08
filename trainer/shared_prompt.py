"""Rows in which the answers of one prompt share it: it is fed and worked through once for all of them.

A row is the prompt without its last token, then for each answer a branch: the prompt's last token and
the answer without its own last. So each position of a branch predicts one token, as everywhere, and a
branch is as long as its answer:

    fed         p0 p1 p2 | p3 a0 a1 | p3 b0 b1 b2
    predicts     -  -  - | a0 a1 a2 | b0 b1 b2 b3
    position     0  1  2 |  3  4  5 |  3  4  5  6

A branch sees the prompt and itself. That takes a mask of each row's square, so attention costs the
square of the row: sharing pays for many short answers, not for few long ones. An answer joins the row
of its prompt only where that is cheaper than a row of its own.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainer.packing import MicroBatch, Sample, pad, padding_columns, sample_columns

LONGEST_SHARED_ROW = 4096
"""A mask of a row of 4,096 is 16 MiB, and 32 MiB in bfloat16; past that it is what memory goes to."""

Row = tuple[int, ...]
"""Indices of the samples of one row: of one prompt, or of a lone sample."""


def plan_rows(
    samples: Sequence[Sample], indices: Sequence[int], *, budget_tokens: int, linear_tokens: int
) -> list[Row]:
    """The samples at the indices dealt into rows, answers of one prompt together where it pays.

    linear_tokens: the length at which attention costs as much as the rest of the model, about six
    times its hidden size; a row of T tokens costs T * (T + linear_tokens).
    """
    by_prompt: dict[tuple[int, ...], list[int]] = {}
    for index in indices:
        by_prompt.setdefault(tuple(samples[index].prompt_ids), []).append(index)
    most = min(budget_tokens, LONGEST_SHARED_ROW)
    rows: list[Row] = []
    for prompt_ids, members in by_prompt.items():
        open_row: list[int] = []
        width = len(prompt_ids) - 1
        # The short first: they gain most by sharing, and one long answer would close the row to them.
        for index in sorted(members, key=lambda index: (samples[index].num_tokens, index)):
            branch = len(samples[index].answer_ids)
            joined, alone = width + branch, len(prompt_ids) + branch
            extra = _cost(joined, linear_tokens) - _cost(width, linear_tokens)
            if open_row and (joined > most or extra > _cost(alone, linear_tokens)):
                rows.append(tuple(open_row))
                open_row, width = [], len(prompt_ids) - 1
            open_row.append(index)
            width += branch
        rows.append(tuple(open_row))
    return rows


def row_length(samples: Sequence[Sample], row: Row) -> int:
    """Tokens that the row feeds."""
    if len(row) == 1:
        return samples[row[0]].num_tokens
    return len(samples[row[0]].prompt_ids) - 1 + sum(len(samples[i].answer_ids) for i in row)


def lay_out(samples: Sequence[Sample], rows: Sequence[Row], *, multiple: int = 1) -> MicroBatch:
    """The rows padded to the longest, rounded up to a multiple; without rows one of padding."""
    if all(len(row) == 1 for row in rows):
        # Without a mask attention is causal and faster.
        return pad(samples, [row[0] for row in rows], multiple=multiple)
    longest = max(row_length(samples, row) for row in rows)
    width = longest + -longest % multiple
    columns, visible, num_sequences = [], [], 0
    for row in rows:
        column, branches_T = _columns(samples, row, num_sequences, width)
        columns.append(column)
        visible.append(_visible_TT(branches_T))
        num_sequences += len(row)
    return MicroBatch(
        **{name: torch.stack([column[name] for column in columns]) for name in columns[0]},
        sample_index_S=torch.tensor([index for row in rows for index in row], dtype=torch.long),
        visible_BTT=torch.stack(visible),
    )


def _columns(
    samples: Sequence[Sample], row: Row, first_sequence: int, width: int
) -> tuple[dict[str, Tensor], Tensor]:
    """A row's columns, and for each position its branch: 0 for the prompt, -1 for padding."""
    num_shared = len(samples[row[0]].prompt_ids) - 1
    parts: list[dict[str, Tensor]] = []
    branches_T = torch.full((width,), -1)
    branches_T[:num_shared] = 0
    start = num_shared
    for place, index in enumerate(row):
        column = sample_columns(samples[index], first_sequence + place)
        if place == 0:
            parts.append({name: values[:num_shared] for name, values in column.items()})
        parts.append({name: values[num_shared:-1] for name, values in column.items()})
        end = start + len(samples[index].answer_ids)
        branches_T[start:end] = place + 1
        start = end
    parts.append(padding_columns(width - start))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}, branches_T


def _visible_TT(branches_T: Tensor) -> Tensor:
    """Who sees whom: what is before it of its branch and of the prompt; padding sees itself.

    A position that saw nothing would have a softmax over nothing, which is NaN.
    """
    before_TT = torch.ones(len(branches_T), len(branches_T), dtype=torch.bool).tril()
    same_TT = branches_T[:, None] == branches_T[None, :]
    return before_TT & (same_TT | ((branches_T == 0)[None, :] & (branches_T >= 0)[:, None]))


def _cost(width: int, linear_tokens: int) -> int:
    return width * (width + linear_tokens)
