"""What a graded batch teaches: advantages, who is left out, and the mini-batches of the optimiser's steps."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from trainer.advantage import group_advantages
from trainer.batch import Batch, Slot
from trainer.errors import RewardFailed
from trainer.overlong import filter_overlong
from trainer.packing import Sample
from trainer.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """mini_batches: what each optimiser step is given; none may be empty, and there may be none.

    num_live, num_dead: groups; num_uncounted: samples without a reward, by our own fault.
    """

    mini_batches: tuple[tuple[Sample, ...], ...]
    num_live: int
    num_dead: int
    num_uncounted: int


def lesson_of(batch: Batch, recipe: Recipe, num_mini_batches: int) -> Lesson:
    """The lesson of a batch whose every slot is graded.

    Raises GroupInvalid for a reward that is no number, RewardFailed where no sample has one at all.
    """
    slots = _dealt_out(batch, recipe) if recipe.batch.control else batch.slots
    is_counted_PG = torch.tensor(
        [[one.score is not None for one in slot.rewards] for slot in slots]
    )
    if not is_counted_PG.any():
        reasons = sorted({reward.reason for slot in slots for reward in slot.rewards})
        raise RewardFailed(
            f"none of the {is_counted_PG.numel()} samples of iteration {batch.iteration} has a verdict"
            f" ({'; '.join(reasons[:3])}): see codeloop sandbox probe, then resume"
        )
    rewards_PG = torch.tensor([[one.score or 0.0 for one in slot.rewards] for slot in slots])
    found = group_advantages(rewards_PG, is_counted_PG, kind=recipe.objective.advantage)
    is_cut_PG = torch.tensor([[one.is_cut for one in slot.answers] for slot in slots])
    kept = filter_overlong(
        found.advantages_PG, rewards_PG, is_cut_PG, overlong=recipe.objective.overlong
    )
    is_dead_P = found.is_dead_P.tolist()
    is_trained_PG = (kept.is_trained_PG & is_counted_PG).tolist()
    groups = [
        _samples(slot, advantages_G, is_trained_G)
        for slot, advantages_G, is_trained_G, is_dead in zip(
            slots, kept.advantages_PG.tolist(), is_trained_PG, is_dead_P, strict=True
        )
        if not is_dead or recipe.batch.dead_groups == "keep"
    ]
    return Lesson(
        mini_batches=_split(groups, num_mini_batches),
        num_live=is_dead_P.count(False),
        num_dead=is_dead_P.count(True),
        num_uncounted=int((~is_counted_PG).sum()),
    )


def _samples(
    slot: Slot, advantages_G: Sequence[float], is_trained_G: Sequence[bool]
) -> list[Sample]:
    return [
        Sample(
            prompt_ids=slot.request.prompt_ids,
            answer_ids=answer.token_ids,
            behaviour_log_probs=answer.log_probs,
            policy_versions=answer.policy_versions,
            advantage=advantage,
            is_trained=is_trained,
        )
        for answer, advantage, is_trained in zip(
            slot.answers, advantages_G, is_trained_G, strict=True
        )
    ]


def _split(groups: Sequence[list[Sample]], num_parts: int) -> tuple[tuple[Sample, ...], ...]:
    """Whole groups in their order, as evenly as they go; fewer parts than asked rather than empty ones."""
    num_parts = min(num_parts, len(groups))
    edges = [part * len(groups) // num_parts for part in range(num_parts + 1)] if groups else []
    parts = (
        tuple(sample for group in groups[start:end] for sample in group)
        for start, end in itertools.pairwise(edges)
    )
    return tuple(part for part in parts if any(sample.is_trained for sample in part))


def _dealt_out(batch: Batch, recipe: Recipe) -> list[Slot]:
    """The slots with all rewards of the batch dealt out at random: the control that must not learn."""
    rewards = [reward for slot in batch.slots for reward in slot.rewards]
    random.Random(f"{recipe.seed}/{batch.iteration}").shuffle(rewards)
    dealt = iter(rewards)
    return [replace(slot, rewards=tuple(next(dealt) for _ in slot.rewards)) for slot in batch.slots]
