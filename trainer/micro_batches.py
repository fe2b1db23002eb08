"""Which samples a rank takes in which micro-batch: within a budget of tokens, equally long for all ranks.

Every rank runs the same number of micro-batches, for FSDP's collective operations wait for each other:
one more on one rank hangs all (verl-project/verl#6176). What runs at the same time costs about the same.
The split depends on the lengths alone, so every rank works it out by itself and gets the same.
"""

import heapq
from collections.abc import Sequence

from trainer.errors import BatchInvalid

Split = tuple[tuple[tuple[int, ...], ...], ...]
"""split[rank][micro_batch] is a tuple of indices of samples."""


def split_packed(
    lengths: Sequence[int], *, num_ranks: int, budget_tokens: int, linear_tokens: int = 0
) -> Split:
    """Micro-batches of at most budget_tokens each, balanced by the sum of their squared lengths.

    linear_tokens: the length at which attention costs as much as the rest of the model, about six
    times its hidden size; a sample costs length * (length + linear_tokens). With 0 attention is all
    that counts. Raises BatchInvalid for a sample past the budget.
    """
    _refuse_too_long(lengths, budget_tokens)
    costs = [length * (length + linear_tokens) for length in lengths]
    per_rank = max(1, -(-sum(lengths) // (budget_tokens * num_ranks)))
    while (bins := _fill(lengths, costs, per_rank * num_ranks, budget_tokens)) is None:
        per_rank += 1
    return _deal(bins, [sum(costs[index] for index in one) for one in bins], num_ranks)


def split_padded(lengths: Sequence[int], *, num_ranks: int, budget_tokens: int) -> Split:
    """Micro-batches of rows padded to their longest, rows times longest within the budget.

    Neighbours by length share a micro-batch, so that little is padding.
    """
    _refuse_too_long(lengths, budget_tokens)
    bins: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        # In falling order a bin's first is its longest.
        if bins and lengths[bins[-1][0]] * (len(bins[-1]) + 1) <= budget_tokens:
            bins[-1].append(index)
        else:
            bins.append([index])
    while len(bins) % num_ranks or not bins:
        widest = max(range(len(bins)), key=lambda place: len(bins[place]), default=None)
        rows = [] if widest is None else bins[widest]
        half = (len(rows) + 1) // 2
        if widest is not None:
            bins[widest] = rows[:half]
        bins.append(rows[half:])
    return _deal(bins, [lengths[one[0]] * len(one) if one else 0 for one in bins], num_ranks)


def _fill(
    lengths: Sequence[int], costs: Sequence[int], num_bins: int, budget_tokens: int
) -> list[list[int]] | None:
    """Longest first, each into the cheapest bin that has room; None if one finds no room."""
    bins: list[list[int]] = [[] for _ in range(num_bins)]
    heap = [(0, 0, place) for place in range(num_bins)]  # cost, tokens, bin
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        full = []
        while heap and heap[0][1] + lengths[index] > budget_tokens:
            full.append(heapq.heappop(heap))
        if not heap:
            return None
        cost, tokens, place = heapq.heappop(heap)
        bins[place].append(index)
        heapq.heappush(heap, (cost + costs[index], tokens + lengths[index], place))
        for entry in full:
            heapq.heappush(heap, entry)
    return bins


def _deal(bins: Sequence[Sequence[int]], costs: Sequence[int], num_ranks: int) -> Split:
    """The dearest first, one to each rank in turn and back, so that sums over ranks come out even."""
    order = sorted(range(len(bins)), key=lambda place: (-costs[place], place))
    ranks: list[list[tuple[int, ...]]] = [[] for _ in range(num_ranks)]
    for turn, start in enumerate(range(0, len(order), num_ranks)):
        together = order[start : start + num_ranks]
        for rank, place in enumerate(reversed(together) if turn % 2 else together):
            ranks[rank].append(tuple(sorted(bins[place])))
    return tuple(tuple(rank) for rank in ranks)


def _refuse_too_long(lengths: Sequence[int], budget_tokens: int) -> None:
    longest = max(lengths, default=0)
    if longest > budget_tokens:
        raise BatchInvalid(
            f"a sample has {longest} tokens and a micro-batch holds {budget_tokens}: a sample is never"
            " split; raise tokens_per_micro_batch or lower the limit of answer tokens"
        )
