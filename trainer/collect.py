"""From prompts to graded answers: what is slow, dead or missing is told with its name and its seconds."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Protocol

from trainer.batch import Slot
from trainer.dataset.problem import TrainingProblem
from trainer.errors import RewardFailed, SamplerFailed, SamplerMismatch
from trainer.reward import Reward
from trainer.rollout import Answer, Drawing, Group, GroupRequest, Sampler


class Grades(Protocol):
    """Whoever gives rewards; `trainer.reward.Grader` does."""

    async def grade(self, problem: TrainingProblem, answer: Answer) -> Reward:
        """The reward of one answer."""
        ...


async def draw_slots(
    sampler: Sampler,
    slots: Sequence[Slot],
    drawing: Drawing,
    *,
    group_seconds: float,
    arrived: Callable[[Slot], None],
) -> None:
    """Fill in the answers of those slots that have none, calling `arrived` for each as it comes.

    Raises SamplerFailed where no group comes for group_seconds, or one is missing at the end, and
    SamplerMismatch for answers that are not what was asked.
    """
    missing = {slot.request.key: slot for slot in slots if not slot.is_sampled}
    if not missing:
        return
    groups = sampler.sample([slot.request for slot in missing.values()], drawing)
    try:
        while (group := await _next_group(groups, group_seconds, len(missing))) is not None:
            slot = missing.pop(group.request.key, None)
            if slot is None:
                raise SamplerMismatch(
                    f"the sampler answered {group.request.key}, which was not asked or is answered"
                    " already: it mixes up requests; see its log"
                )
            _check_group(slot.request, group, drawing)
            slot.take(group)
            arrived(slot)
    finally:
        # A generator that is left half-way goes on drawing; an iterator of another kind cannot be told.
        if isinstance(groups, AsyncGenerator):
            await groups.aclose()
    if missing:
        raise SamplerFailed(
            f"the sampler ended without {len(missing)} of the groups that were asked, the first being"
            f" {next(iter(missing))}: see its log, then go on with --resume"
        )


async def grade_slot(grader: Grades, problem: TrainingProblem, slot: Slot) -> None:
    """Fill in the rewards of a sampled slot. Raises RewardFailed."""

    async def timed(answer: Answer) -> tuple[Reward, float]:
        started = time.monotonic()
        return await grader.grade(problem, answer), time.monotonic() - started

    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(timed(answer)) for answer in slot.answers]
    slot.graded_seconds = tuple(task.result()[1] for task in found)
    slot.rewards = tuple(task.result()[0] for task in found)


@contextlib.asynccontextmanager
async def reward_deadline(seconds: float, slots: Sequence[Slot]) -> AsyncIterator[None]:
    """Wait for rewards so long and no longer. Raises RewardFailed."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        num_left = sum(not slot.is_graded for slot in slots)
        raise RewardFailed(
            f"grading: {num_left} of {len(slots)} groups have no rewards {seconds:g} s after the last"
            " answer: look at the sandbox (codeloop sandbox probe), or raise pipeline.reward_seconds"
        ) from error


async def _next_group(
    groups: AsyncIterator[Group], seconds: float, num_missing: int
) -> Group | None:
    try:
        async with asyncio.timeout(seconds):
            return await anext(groups, None)
    except TimeoutError as error:
        raise SamplerFailed(
            f"sampling: no group came for {seconds:g} s and {num_missing} are missing: the sampler is"
            " stuck or slow; look at it, or raise pipeline.group_seconds"
        ) from error


def _check_group(request: GroupRequest, group: Group, drawing: Drawing) -> None:
    """Refuse what was not asked for; one token off, and every log-prob is another token's."""
    if len(group.answers) != len(request.seeds):
        raise SamplerMismatch(
            f"group {request.key} has {len(group.answers)} answers and {len(request.seeds)} were asked:"
            " a group is answered whole; see the sampler's log"
        )
    for number, answer in enumerate(group.answers):
        counts = {len(answer.token_ids), len(answer.log_probs), len(answer.policy_versions)}
        if len(counts) != 1 or not answer.token_ids:
            raise SamplerMismatch(
                f"answer {number} of group {request.key} has {len(answer.token_ids)} tokens,"
                f" {len(answer.log_probs)} log-probs and {len(answer.policy_versions)} versions: they"
                " agree and are at least 1; the sampler leaves tokens out or adds some"
            )
        if len(answer.token_ids) > drawing.max_new_tokens:
            raise SamplerMismatch(
                f"answer {number} of group {request.key} has {len(answer.token_ids)} tokens and at most"
                f" {drawing.max_new_tokens} were asked: the sampler does not hold its limit"
            )
