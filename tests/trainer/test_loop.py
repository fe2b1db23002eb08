"""The loop of sampling, grading, learning and publishing: what it does, and what it says when a part fails."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

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
from trainer.parts import Watch
from trainer.pipeline import Pipeline
from trainer.reward import Reward
from trainer.rollout import Answer, Drawing, Group, GroupRequest
from trainer.train import Setup, run

NO_SECONDS = 0.05
"""A deadline that a part which never answers runs into at once."""

Make = Callable[..., Setup]


@pytest.fixture
def make(tiny_run: Any, letters_model: Path, tmp_path: Path) -> Make:
    """A run's parts, with changes to the recipe and with parts replaced."""

    def made(*changes: str, name: str = "run", **replaced: Any) -> Setup:
        recipe = tiny_run.recipe(letters_model, changes)
        setup: Setup = tiny_run.setup(tmp_path / name, recipe, **replaced)
        return setup

    return made


def drive(setup: Setup) -> list[dict[str, Any]]:
    """Run to the end; the log's rows."""
    asyncio.run(run(setup))
    return list(read_log(setup.folder))


def of_type(rows: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["type"] == name]


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


class Grading:
    """Gives every answer what a function says."""

    def __init__(self, score: Callable[[Answer], float | None]) -> None:
        self._score = score

    async def grade(self, problem: Any, answer: Answer) -> Reward:
        return Reward(score=self._score(answer), reason="said", holdout=None, seconds=0.0)


class NeverGrades:
    async def grade(self, problem: Any, answer: Answer) -> Reward:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(
    ("mode", "lag"), [("synchronous", 0), ("one_off", 1), ("one_off_interleaved", 1)]
)
def test_every_batch_is_drawn_from_exactly_its_version(make: Make, mode: str, lag: int) -> None:
    rows = of_type(drive(make(f"pipeline.mode={mode}", "batch.prompts=8")), "iteration")
    # Every iteration had something to learn, so versions count iterations.
    assert not any(row["is_skipped"] for row in rows)
    assert [row["version"] for row in rows] == [max(0, i - lag) for i in range(6)]
    behind = [min(i, lag) for i in range(6)]
    for row, staleness in zip(rows, behind, strict=True):
        assert {int(age) for age, count in row["staleness"].items() if count} == {staleness}


def test_one_off_with_and_without_interleaving_learns_the_same(make: Make) -> None:
    def learned(mode: str) -> list[Any]:
        rows = of_type(drive(make(f"pipeline.mode={mode}", name=mode)), "iteration")
        return [row["steps"] for row in rows]

    assert learned("one_off") == learned("one_off_interleaved")


def test_log_has_the_rows_that_are_documented(make: Make) -> None:
    rows = drive(make())
    counts = {name: len(of_type(rows, name)) for name in {row["type"] for row in rows}}
    assert counts == {
        "session": 1, "probe": 1, "stage": 1, "iteration": 6, "samples": 6, "evaluation": 3,
        "save": 3, "end": 1,
    }  # fmt: skip
    assert [row["iteration"] for row in of_type(rows, "evaluation")] == [0, 3, 6]
    first = of_type(rows, "iteration")[0]
    assert first["samples"] == 16
    assert first["measured"].keys() == {
        "sampling_seconds", "grading_seconds", "training_seconds", "publishing_seconds",
        "iteration_seconds", "sampler_idle_seconds", "learner_idle_seconds",
        "reward_latency_seconds", "resident_bytes", "tokens_per_second",
    }  # fmt: skip
    assert first["sources"] == {"letters": [16, round(16 * first["solve_rate"])]}


def test_a_batch_of_dead_groups_is_survived_and_teaches_nothing(make: Make) -> None:
    setup = make("limits.iterations=2", "limits.dead_iterations=3", grader=Grading(lambda _: 1.0))
    rows = of_type(drive(setup), "iteration")
    assert [(row["groups_dead"], row["is_skipped"]) for row in rows] == [(4, True), (4, True)]
    assert setup.policy.version == 0


def test_dead_iterations_in_a_row_end_the_run(make: Make) -> None:
    setup = make("limits.dead_iterations=2", grader=Grading(lambda _: 0.0))
    with pytest.raises(AllGroupsDead, match="last 2 iterations"):
        drive(setup)
    assert len(of_type(list(read_log(setup.folder)), "iteration")) == 2


def test_samples_without_a_verdict_are_left_out_and_counted(make: Make) -> None:
    graded = iter(range(10**6))

    def every_fourth_fails(answer: Answer) -> float | None:
        place = next(graded)
        return None if place % 4 == 3 else float(place % 2)

    setup = make(
        "limits.iterations=1", "pipeline.mode=synchronous", "evaluation.every=0",
        grader=Grading(every_fourth_fails),
    )  # fmt: skip
    row = of_type(drive(setup), "iteration")[0]
    assert row["samples_uncounted"] == 4
    assert row["reward_mean"] == pytest.approx(4 / 12)
    assert sum(row["staleness"].values()) == row["learner"]["num_tokens"]


def test_no_verdict_at_all_is_the_sandboxs_fault(make: Make) -> None:
    with pytest.raises(RewardFailed, match="none of the 16 samples"):
        drive(make(grader=Grading(lambda _: None), name="none"))


def test_reward_that_is_no_number_ends_the_run(make: Make) -> None:
    with pytest.raises(GroupInvalid, match="nan"):
        drive(make(grader=Grading(lambda _: math.nan)))


def test_rewards_that_never_come_are_told_as_such(make: Make) -> None:
    setup = make(
        f"pipeline.reward_seconds={NO_SECONDS}", "evaluation.every=0", grader=NeverGrades()
    )
    with pytest.raises(RewardFailed, match=r"4 of 4 groups have no rewards 0\.05 s"):
        drive(setup)


def test_sampler_that_never_answers_is_told_as_such(make: Make, letters_model: Path) -> None:
    class Silent(Wrapped):
        async def sample(
            self, requests: Sequence[GroupRequest], drawing: Drawing
        ) -> AsyncIterator[Group]:
            await asyncio.Event().wait()
            yield Group(request=requests[0], answers=(), sampling_seconds=0)

    setup = make(
        f"pipeline.group_seconds={NO_SECONDS}", "probe.prompts=0", "evaluation.every=0",
        sampler=Silent(letters_model),
    )  # fmt: skip
    with pytest.raises(SamplerFailed, match=r"no group came for 0\.05 s and 4 are missing"):
        drive(setup)


def test_sampler_that_dies_under_way_is_told_in_its_own_words(
    make: Make, letters_model: Path
) -> None:
    class Dying(Wrapped):
        async def sample(
            self, requests: Sequence[GroupRequest], drawing: Drawing
        ) -> AsyncIterator[Group]:
            async for group in super().sample(requests, drawing):
                yield group
                raise SamplerFailed("the engine is gone")

    with pytest.raises(SamplerFailed, match="the engine is gone"):
        drive(make(sampler=Dying(letters_model)))


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
    make: Make, letters_model: Path, change: Callable[[Group], Group], told: str
) -> None:
    setup = make("evaluation.every=0", "probe.prompts=0", sampler=changing(change)(letters_model))
    with pytest.raises(SamplerMismatch, match=told):
        drive(setup)


def test_group_that_is_left_out_is_missed(make: Make, letters_model: Path) -> None:
    class Forgetful(Wrapped):
        async def sample(
            self, requests: Sequence[GroupRequest], drawing: Drawing
        ) -> AsyncIterator[Group]:
            async for group in super().sample(requests[1:], drawing):
                yield group

    with pytest.raises(SamplerFailed, match="without 1 of the groups"):
        drive(make(sampler=Forgetful(letters_model), name="forgetful"))


def test_probe_stops_a_sampler_of_other_log_probs(make: Make, letters_model: Path) -> None:
    def lower(answer: Answer) -> tuple[float, ...]:
        return tuple(value - 0.7 for value in answer.log_probs)

    setup = make(sampler=changing(first_answer(log_probs=lower))(letters_model))
    with pytest.raises(SamplerMismatch, match="sampler and learner differ on 24 tokens"):
        drive(setup)
    probe = of_type(list(read_log(setup.folder)), "probe")[0]
    # Half of the tokens are off by d = -0.7: exp(0.7) - 0.7 - 1 = 0.3138, and half of it on average.
    assert probe["kl"] == pytest.approx(0.1569, abs=1e-4)
    assert probe["max_difference"] == pytest.approx(0.7, abs=1e-4)


def test_other_tokenizer_is_refused_before_anything_is_drawn(make: Make) -> None:
    with pytest.raises(SamplerMismatch, match="tokenizer has the digest"):
        drive(replace(make(), tokenizer_digest="0" * 64))


def test_weights_that_do_not_reach_the_sampler_are_told(make: Make, letters_model: Path) -> None:
    class Deaf(Wrapped):
        async def update(self, folder: Path, version: int) -> None:
            if version:
                await asyncio.Event().wait()
            await super().update(folder, version)

    setup = make(f"pipeline.update_seconds={10 * NO_SECONDS}", sampler=Deaf(letters_model))
    with pytest.raises(UpdateFailed, match="version 1 has not reached the sampler"):
        drive(setup)


def test_step_that_never_ends_is_told(make: Make) -> None:
    setup = make("pipeline.step_seconds=1e-6", "probe.prompts=0", "evaluation.every=0")
    with pytest.raises(LearnerFailed, match="an optimiser step has not ended"):
        drive(setup)


def test_disk_that_cannot_be_written_is_told_and_the_last_good_state_stands(make: Make) -> None:
    setup = make()
    (setup.folder).mkdir()
    # A file where the folder of checkpoints belongs: as good as a full disk, for root too.
    (setup.folder / "checkpoints").write_text("")
    with pytest.raises(SaveFailed, match="checkpoints/000002 could not be written"):
        drive(setup)
    assert (setup.folder / "versions" / "000001" / "manifest.json").is_file()


def test_shuffled_rewards_are_the_same_rewards(make: Make) -> None:
    plain = of_type(drive(make(name="plain")), "iteration")[0]
    control = of_type(drive(make("batch.control=shuffled_rewards", name="control")), "iteration")[0]
    assert plain["reward_mean"] == control["reward_mean"]
    assert plain["steps"] != control["steps"]


def test_version_brings_answers_along_whose_log_probs_are_its_own(make: Make) -> None:
    setup = make("publish.probes=3")
    drive(setup)
    folder = max((setup.folder / "versions").iterdir())
    training = json.loads((folder / "manifest.json").read_text())["training"]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    probes = training["summary"]["probes"]
    assert len({tuple(each["prompt_ids"]) for each in probes}) == 3
    for each in probes:
        num_prompt = len(each["prompt_ids"])
        tokens = torch.tensor([each["prompt_ids"] + each["answer_ids"]])
        with torch.inference_mode():
            logits_TV = model(tokens).logits[0, num_prompt - 1 : -1]
        found = logits_TV.log_softmax(-1).gather(1, tokens[0, num_prompt:, None])[:, 0]
        # The weights in the folder are rounded to bfloat16.
        assert found.tolist() == pytest.approx(each["log_probs"], abs=0.02)


def test_dead_groups_are_replaced_by_other_prompts(make: Make) -> None:
    rows = of_type(drive(make("batch.dead_groups=resample", "batch.max_rounds=4")), "iteration")
    assert max(row["rounds"] for row in rows) > 1
    assert any(row["groups_replaced"] and not row["groups_dead"] for row in rows)


def test_kept_dead_groups_stand_in_the_denominator(make: Make) -> None:
    left_out = of_type(drive(make("limits.iterations=1", name="left_out")), "iteration")[0]
    kept = of_type(
        drive(make("limits.iterations=1", "batch.dead_groups=keep", name="kept")), "iteration"
    )[0]
    assert left_out["groups_dead"] == kept["groups_dead"] > 0
    assert kept["learner"]["num_tokens"] > left_out["learner"]["num_tokens"]


def test_a_stop_ends_after_the_iteration_with_a_checkpoint(make: Make) -> None:
    class Stopping(Watch):
        pipeline: Pipeline

        def phase(self, name: str, iteration: int) -> None:
            if (name, iteration) == ("training", 2):
                self.pipeline.stop("interrupted")

    setup, watch = make("checkpoint.every=100", "evaluation.every=0"), Stopping()

    def started(pipeline: Pipeline) -> None:
        watch.pipeline = pipeline

    assert asyncio.run(run(setup, watch=watch, started=started)) == "interrupted"
    rows = list(read_log(setup.folder))
    assert [row["iteration"] for row in of_type(rows, "iteration")] == [1, 2]
    assert [row["iteration"] for row in of_type(rows, "save")] == [2]
    assert rows[-1]["reason"] == "interrupted"


def test_run_whose_time_is_up_evaluates_and_saves_its_last_version(make: Make) -> None:
    setup = make("limits.minutes=1e-9", "evaluation.every=100", "checkpoint.every=100")
    assert asyncio.run(run(setup)) == "minutes"
    rows = list(read_log(setup.folder))
    assert [row["iteration"] for row in of_type(rows, "evaluation")] == [0, 1]
    assert [row["iteration"] for row in of_type(rows, "save")] == [1]


def test_stages_change_length_within_one_run(
    make: Make, tiny_run: Any, letters_model: Path
) -> None:
    setup = make()
    stages = [{"iterations": 1, "max_new_tokens": 2}, {"iterations": 1, "max_new_tokens": 6}]
    tables = tiny_run.tables(letters_model) | {"stages": stages, "limits": {"iterations": 3}}
    staged = tiny_run.recipe_of(tables, source="staged")
    rows = drive(replace(setup, recipe=staged))
    assert [row["tokens_max"] for row in of_type(rows, "iteration")] == [2, 6, 6]
    assert [row["iteration"] for row in of_type(rows, "stage")] == [1, 2]
