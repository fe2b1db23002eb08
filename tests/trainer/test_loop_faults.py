"""The loop of sampling, grading, learning and publishing: what it says when a part of it fails."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainer.errors import (
    AllGroupsDead,
    GroupInvalid,
    LearnerFailed,
    RewardFailed,
    SamplerFailed,
    SamplerMismatch,
    SaveFailed,
    UpdateFailed,
)
from trainer.event_log import read_log
from trainer.local_sampler import LocalSampler
from trainer.reward import Reward
from trainer.rollout import Answer, Drawing, Group, GroupRequest
from trainer.train import Setup

NO_SECONDS = 0.05
"""A deadline that a part which never answers runs into at once."""

MakeSetup = Callable[..., Setup]


class Wrapped:
    """A real sampler, one of whose ways is replaced."""

    def __init__(self, folder: Path) -> None:
        self.real = LocalSampler(folder, num_rows=8, most_tokens=14)

    async def sample(
        self, requests: Sequence[GroupRequest], drawing: Drawing
    ) -> AsyncIterator[Group]:
        async for group in self.real.sample(requests, drawing):
            yield group

    async def update(self, folder: Path, version: int) -> None:
        await self.real.update(folder, version)

    async def log_probs(
        self, sequences: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], temperature: float
    ) -> list[tuple[float, ...]]:
        return await self.real.log_probs(sequences, temperature)

    async def identify(self) -> dict[str, str]:
        return await self.real.identify()

    async def close(self) -> None:
        await self.real.close()


class NeverGrades:
    async def grade(self, problem: Any, answer: Answer) -> Reward:
        await asyncio.Event().wait()
        raise AssertionError


def test_dead_iterations_in_a_row_end_the_run(make_setup: MakeSetup, tiny_run: Any) -> None:
    setup = make_setup("limits.dead_iterations=2", grader=tiny_run.Saying(lambda _: 0.0))
    with pytest.raises(AllGroupsDead, match="last 2 iterations"):
        tiny_run.drive(setup)
    assert len(tiny_run.of_type(list(read_log(setup.folder)), "iteration")) == 2


def test_no_verdict_at_all_is_the_sandboxs_fault(make_setup: MakeSetup, tiny_run: Any) -> None:
    with pytest.raises(RewardFailed, match="none of the 16 samples"):
        tiny_run.drive(make_setup(grader=tiny_run.Saying(lambda _: None), name="none"))


def test_reward_that_is_no_number_ends_the_run(make_setup: MakeSetup, tiny_run: Any) -> None:
    with pytest.raises(GroupInvalid, match="nan"):
        tiny_run.drive(make_setup(grader=tiny_run.Saying(lambda _: math.nan)))


def test_rewards_that_never_come_are_told_as_such(make_setup: MakeSetup, tiny_run: Any) -> None:
    setup = make_setup(
        f"pipeline.reward_seconds={NO_SECONDS}", "evaluation.every=0", grader=NeverGrades()
    )
    with pytest.raises(RewardFailed, match=r"4 of 4 groups have no rewards 0\.05 s"):
        tiny_run.drive(setup)


def test_sampler_that_never_answers_is_told_as_such(
    make_setup: MakeSetup, tiny_run: Any, letters_model: Path
) -> None:
    class Silent(Wrapped):
        async def sample(
            self, requests: Sequence[GroupRequest], drawing: Drawing
        ) -> AsyncIterator[Group]:
            await asyncio.Event().wait()
            yield Group(request=requests[0], answers=(), sampling_seconds=0)

    setup = make_setup(
        f"pipeline.group_seconds={NO_SECONDS}", "probe.prompts=0", "evaluation.every=0",
        sampler=Silent(letters_model),
    )  # fmt: skip
    with pytest.raises(SamplerFailed, match=r"no group came for 0\.05 s and 4 are missing"):
        tiny_run.drive(setup)


def test_sampler_that_dies_under_way_is_told_in_its_own_words(
    make_setup: MakeSetup, tiny_run: Any, letters_model: Path
) -> None:
    class Dying(Wrapped):
        async def sample(
            self, requests: Sequence[GroupRequest], drawing: Drawing
        ) -> AsyncIterator[Group]:
            async for group in super().sample(requests, drawing):
                yield group
                raise SamplerFailed("the engine is gone")

    with pytest.raises(SamplerFailed, match="the engine is gone"):
        tiny_run.drive(make_setup(sampler=Dying(letters_model)))


def changing(change: Callable[[Group], Group]) -> type[Wrapped]:
    """A sampler whose groups are changed on their way."""

    class Changing(Wrapped):
        async def sample(
            self, requests: Sequence[GroupRequest], drawing: Drawing
        ) -> AsyncIterator[Group]:
            async for group in super().sample(requests, drawing):
                yield change(group)

    return Changing


def first_answer(**changes: Callable[[Answer], Any]) -> Callable[[Group], Group]:
    def change(group: Group) -> Group:
        first = group.answers[0]
        changed = replace(first, **{name: made(first) for name, made in changes.items()})
        return replace(group, answers=(changed, *group.answers[1:]))

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (first_answer(token_ids=lambda one: one.token_ids[1:]), "5 tokens, 6 log-probs"),
        (first_answer(token_ids=lambda _: ()), "0 tokens"),
        (
            first_answer(
                token_ids=lambda one: one.token_ids * 2,
                log_probs=lambda one: one.log_probs * 2,
                policy_versions=lambda one: one.policy_versions * 2,
            ),
            "12 tokens and at most 6",
        ),
        (lambda group: replace(group, answers=group.answers[1:]), "answers and .* were asked"),
        (
            lambda group: replace(group, request=replace(group.request, key="other")),
            "which was not asked",
        ),
    ],
)
def test_answers_that_were_not_asked_for_are_refused(
    make_setup: MakeSetup,
    tiny_run: Any,
    letters_model: Path,
    change: Callable[[Group], Group],
    told: str,
) -> None:
    setup = make_setup(
        "evaluation.every=0", "probe.prompts=0", sampler=changing(change)(letters_model)
    )
    with pytest.raises(SamplerMismatch, match=told):
        tiny_run.drive(setup)


def test_group_that_is_left_out_is_missed(
    make_setup: MakeSetup, tiny_run: Any, letters_model: Path
) -> None:
    class Forgetful(Wrapped):
        async def sample(
            self, requests: Sequence[GroupRequest], drawing: Drawing
        ) -> AsyncIterator[Group]:
            async for group in super().sample(requests[1:], drawing):
                yield group

    with pytest.raises(SamplerFailed, match="without 1 of the groups"):
        tiny_run.drive(make_setup(sampler=Forgetful(letters_model), name="forgetful"))


def test_probe_stops_a_sampler_of_other_log_probs(
    make_setup: MakeSetup, tiny_run: Any, letters_model: Path
) -> None:
    def lower(answer: Answer) -> tuple[float, ...]:
        return tuple(value - 0.7 for value in answer.log_probs)

    setup = make_setup(sampler=changing(first_answer(log_probs=lower))(letters_model))
    with pytest.raises(SamplerMismatch, match="sampler and learner differ on 24 tokens"):
        tiny_run.drive(setup)
    probe = tiny_run.of_type(list(read_log(setup.folder)), "probe")[0]
    # Half of the tokens are off by d = -0.7: exp(0.7) - 0.7 - 1 = 0.3138, and half of it on average.
    assert probe["kl"] == pytest.approx(0.1569, abs=1e-4)
    assert probe["max_difference"] == pytest.approx(0.7, abs=1e-4)


def test_other_tokenizer_is_refused_before_anything_is_drawn(
    make_setup: MakeSetup, tiny_run: Any
) -> None:
    with pytest.raises(SamplerMismatch, match="tokenizer has the digest"):
        tiny_run.drive(replace(make_setup(), tokenizer_digest="0" * 64))


def test_weights_that_do_not_reach_the_sampler_are_told(
    make_setup: MakeSetup, tiny_run: Any, letters_model: Path
) -> None:
    class Deaf(Wrapped):
        async def update(self, folder: Path, version: int) -> None:
            if version:
                await asyncio.Event().wait()
            await super().update(folder, version)

    setup = make_setup(f"pipeline.update_seconds={10 * NO_SECONDS}", sampler=Deaf(letters_model))
    with pytest.raises(UpdateFailed, match="version 1 has not reached the sampler"):
        tiny_run.drive(setup)


def test_step_that_never_ends_is_told(make_setup: MakeSetup, tiny_run: Any) -> None:
    setup = make_setup("pipeline.step_seconds=1e-6", "probe.prompts=0", "evaluation.every=0")
    with pytest.raises(LearnerFailed, match="an optimiser step has not ended"):
        tiny_run.drive(setup)


def test_disk_that_cannot_be_written_is_told_and_the_last_good_state_stands(
    make_setup: MakeSetup, tiny_run: Any
) -> None:
    setup = make_setup()
    (setup.folder).mkdir()
    # A file where the folder of checkpoints belongs: as good as a full disk, for root too.
    (setup.folder / "checkpoints").write_text("")
    with pytest.raises(SaveFailed, match="checkpoints/000002 could not be written"):
        tiny_run.drive(setup)
    assert (setup.folder / "versions" / "000001" / "manifest.json").is_file()
