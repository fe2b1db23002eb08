"""The loop of sampling, grading, learning and publishing: what it does, row by row of its log."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from trainer.event_log import read_log
from trainer.parts import Watch
from trainer.pipeline import Pipeline
from trainer.rollout import Answer
from trainer.train import Setup, run

MakeSetup = Callable[..., Setup]


@pytest.mark.parametrize(
    ("mode", "lag"), [("synchronous", 0), ("one_off", 1), ("one_off_interleaved", 1)]
)
def test_every_batch_is_drawn_from_exactly_its_version(
    make_setup: MakeSetup, tiny_run: Any, mode: str, lag: int
) -> None:
    rows = tiny_run.of_type(
        tiny_run.drive(make_setup(f"pipeline.mode={mode}", "batch.prompts=8")), "iteration"
    )
    # Every iteration had something to learn, so versions count iterations.
    assert not any(row["is_skipped"] for row in rows)
    assert [row["version"] for row in rows] == [max(0, i - lag) for i in range(6)]
    behind = [min(i, lag) for i in range(6)]
    for row, staleness in zip(rows, behind, strict=True):
        assert {int(age) for age, count in row["staleness"].items() if count} == {staleness}


def test_one_off_with_and_without_interleaving_learns_the_same(
    make_setup: MakeSetup, tiny_run: Any
) -> None:
    def learned(mode: str) -> list[Any]:
        rows = tiny_run.of_type(
            tiny_run.drive(make_setup(f"pipeline.mode={mode}", name=mode)), "iteration"
        )
        return [row["steps"] for row in rows]

    assert learned("one_off") == learned("one_off_interleaved")


def test_log_has_the_rows_that_are_documented(make_setup: MakeSetup, tiny_run: Any) -> None:
    rows = tiny_run.drive(make_setup())
    counts = {name: len(tiny_run.of_type(rows, name)) for name in {row["type"] for row in rows}}
    assert counts == {
        "session": 1, "probe": 1, "stage": 1, "iteration": 6, "samples": 6, "evaluation": 3,
        "save": 3, "end": 1,
    }  # fmt: skip
    assert [row["iteration"] for row in tiny_run.of_type(rows, "evaluation")] == [0, 3, 6]
    first = tiny_run.of_type(rows, "iteration")[0]
    assert first["samples"] == 16
    assert first["measured"].keys() == {
        "sampling_seconds", "grading_seconds", "training_seconds", "publishing_seconds",
        "iteration_seconds", "sampler_idle_seconds", "learner_idle_seconds",
        "reward_latency_seconds", "resident_bytes", "tokens_per_second",
    }  # fmt: skip
    assert first["sources"] == {"letters": [16, round(16 * first["solve_rate"])]}


def test_a_batch_of_dead_groups_is_survived_and_teaches_nothing(
    make_setup: MakeSetup, tiny_run: Any
) -> None:
    setup = make_setup(
        "limits.iterations=2", "limits.dead_iterations=3", grader=tiny_run.Saying(lambda _: 1.0)
    )
    rows = tiny_run.of_type(tiny_run.drive(setup), "iteration")
    assert [(row["groups_dead"], row["is_skipped"]) for row in rows] == [(4, True), (4, True)]
    assert setup.policy.version == 0


def test_samples_without_a_verdict_are_left_out_and_counted(
    make_setup: MakeSetup, tiny_run: Any
) -> None:
    graded = iter(range(10**6))

    def every_fourth_fails(answer: Answer) -> float | None:
        place = next(graded)
        return None if place % 4 == 3 else float(place % 2)

    setup = make_setup(
        "limits.iterations=1", "pipeline.mode=synchronous", "evaluation.every=0",
        grader=tiny_run.Saying(every_fourth_fails),
    )  # fmt: skip
    row = tiny_run.of_type(tiny_run.drive(setup), "iteration")[0]
    assert row["samples_uncounted"] == 4
    assert row["reward_mean"] == pytest.approx(4 / 12)
    assert sum(row["staleness"].values()) == row["learner"]["num_tokens"]


def test_shuffled_rewards_are_the_same_rewards(make_setup: MakeSetup, tiny_run: Any) -> None:
    plain = tiny_run.of_type(tiny_run.drive(make_setup(name="plain")), "iteration")[0]
    control = tiny_run.of_type(
        tiny_run.drive(make_setup("batch.control=shuffled_rewards", name="control")), "iteration"
    )[0]
    assert plain["reward_mean"] == control["reward_mean"]
    assert plain["steps"] != control["steps"]


def test_version_brings_answers_along_whose_log_probs_are_its_own(
    make_setup: MakeSetup, tiny_run: Any
) -> None:
    setup = make_setup("publish.probes=3")
    tiny_run.drive(setup)
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


def test_dead_groups_are_replaced_by_other_prompts(make_setup: MakeSetup, tiny_run: Any) -> None:
    rows = tiny_run.of_type(
        tiny_run.drive(make_setup("batch.dead_groups=resample", "batch.max_rounds=4")), "iteration"
    )
    assert max(row["rounds"] for row in rows) > 1
    assert any(row["groups_replaced"] and not row["groups_dead"] for row in rows)


def test_kept_dead_groups_stand_in_the_denominator(make_setup: MakeSetup, tiny_run: Any) -> None:
    left_out = tiny_run.of_type(
        tiny_run.drive(make_setup("limits.iterations=1", name="left_out")), "iteration"
    )[0]
    kept = tiny_run.of_type(
        tiny_run.drive(make_setup("limits.iterations=1", "batch.dead_groups=keep", name="kept")),
        "iteration",
    )[0]
    assert left_out["groups_dead"] == kept["groups_dead"] > 0
    assert kept["learner"]["num_tokens"] > left_out["learner"]["num_tokens"]


def test_a_stop_ends_after_the_iteration_with_a_checkpoint(
    make_setup: MakeSetup, tiny_run: Any
) -> None:
    class Stopping(Watch):
        pipeline: Pipeline

        def phase(self, name: str, iteration: int) -> None:
            if (name, iteration) == ("training", 2):
                self.pipeline.stop("interrupted")

    setup, watch = make_setup("checkpoint.every=100", "evaluation.every=0"), Stopping()

    def started(pipeline: Pipeline) -> None:
        watch.pipeline = pipeline

    assert asyncio.run(run(setup, watch=watch, started=started)) == "interrupted"
    rows = list(read_log(setup.folder))
    assert [row["iteration"] for row in tiny_run.of_type(rows, "iteration")] == [1, 2]
    assert [row["iteration"] for row in tiny_run.of_type(rows, "save")] == [2]
    assert rows[-1]["reason"] == "interrupted"


def test_run_whose_time_is_up_evaluates_and_saves_its_last_version(
    make_setup: MakeSetup, tiny_run: Any
) -> None:
    setup = make_setup("limits.minutes=1e-9", "evaluation.every=100", "checkpoint.every=100")
    assert asyncio.run(run(setup)) == "minutes"
    rows = list(read_log(setup.folder))
    assert [row["iteration"] for row in tiny_run.of_type(rows, "evaluation")] == [0, 1]
    assert [row["iteration"] for row in tiny_run.of_type(rows, "save")] == [1]


def test_stages_change_length_within_one_run(
    make_setup: MakeSetup, tiny_run: Any, letters_model: Path
) -> None:
    setup = make_setup()
    stages = [{"iterations": 1, "max_new_tokens": 2}, {"iterations": 1, "max_new_tokens": 6}]
    tables = tiny_run.tables(letters_model) | {"stages": stages, "limits": {"iterations": 3}}
    staged = tiny_run.recipe_of(tables, source="staged")
    rows = tiny_run.drive(replace(setup, recipe=staged))
    assert [row["tokens_max"] for row in tiny_run.of_type(rows, "iteration")] == [2, 6, 6]
    assert [row["iteration"] for row in tiny_run.of_type(rows, "stage")] == [1, 2]
