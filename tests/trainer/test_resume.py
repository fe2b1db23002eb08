"""A run that is killed at any moment and gone on with ends as one that never was, to the last bit."""

import json
import multiprocessing
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.checkpoint import Checkpoints
from trainer.errors import CheckpointInvalid, RecipeInvalid, RunRefused
from trainer.event_log import read_log

PROGRAM = Path(__file__).with_name("tiny_run.py")
SECONDS = 60
KILLED = -9
PRELOADED = ["trainer.run_setup", "transformers.models.llama.modeling_llama", "peft", "accelerate"]
"""What a child would spend its seconds on; it is forked with them imported."""

Tiny = Callable[..., int | None]


@pytest.fixture(scope="module")
def folder(letters_model: Path) -> Path:
    """Where runs are, beside the model."""
    return letters_model.parent


@pytest.fixture(scope="module")
def tiny(folder: Path) -> Tiny:
    """Runs the program in a process of its own, which begins with everything imported; its exit code."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(PRELOADED)

    def start(name: str, *words: str) -> int | None:
        arguments = (str(PROGRAM), {"WORDS": [str(folder / name), *words]}, "__main__")
        process = processes.Process(target=runpy.run_path, args=arguments)
        process.start()
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
        return process.exitcode

    return start


def rows(folder: Path) -> list[str]:
    """Of the log, without times and starts; evaluations may lie before or after a learner's row."""
    found = []
    for row in read_log(folder):
        row.pop("measured", None)
        if row["type"] != "session":
            found.append(json.dumps(row, sort_keys=True))
    return sorted(found)


def last_checkpoint(folder: Path) -> Any:
    found = Checkpoints(folder / "checkpoints", keep=2).load()
    assert found is not None
    return found


def is_same(one: Any, other: Any) -> bool:
    """Equal to the last bit, all the way down."""
    if isinstance(one, torch.Tensor):
        return bool(torch.equal(one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def refuse_difference(one: Path, other: Path) -> None:
    """Log, weights, optimiser, random state, order, and what was published."""
    assert rows(one) == rows(other)
    ours, theirs = last_checkpoint(one), last_checkpoint(other)
    assert ours.iteration == theirs.iteration
    assert is_same(ours.policy, theirs.policy)
    assert ours.progress["order"] == theirs.progress["order"]
    published = sorted(path.name for path in (one / "versions").iterdir())
    assert published == sorted(path.name for path in (other / "versions").iterdir())
    for name in published:
        weights = Path("versions") / name / "model.safetensors"
        assert (one / weights).read_bytes() == (other / weights).read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tiny: Tiny) -> Callable[[str], str]:
    """Name of a whole run in a mode."""
    done: set[str] = set()

    def of(mode: str) -> str:
        name = f"whole_{mode}"
        if name not in done:
            assert tiny(name, f"pipeline.mode={mode}") == 0
            done.add(name)
        return name

    return of


@pytest.mark.parametrize(
    ("mode", "point"),
    [
        ("one_off_interleaved", "group:4:2"),
        ("one_off_interleaved", "graded:4"),
        ("one_off_interleaved", "step:5:1"),
        ("one_off_interleaved", "state:4"),
        ("one_off_interleaved", "saved:4"),
        ("one_off_interleaved", "publish:4"),
        ("one_off_interleaved", "published:5"),
        ("one_off_interleaved", "evaluating:3"),
        ("one_off", "group:6:3"),
        ("synchronous", "step:4:1"),
    ],
)
def test_killed_run_ends_as_one_that_never_was(
    folder: Path, tiny: Tiny, undisturbed: Callable[[str], str], mode: str, point: str
) -> None:
    whole, name = undisturbed(mode), f"{mode}_{point.replace(':', '_')}"
    assert tiny(name, f"pipeline.mode={mode}", "--kill", point) == KILLED
    assert tiny(name, f"pipeline.mode={mode}", "--resume") == 0
    refuse_difference(folder / whole, folder / name)


def test_run_killed_before_its_first_checkpoint_begins_anew(
    folder: Path, tiny: Tiny, undisturbed: Callable[[str], str]
) -> None:
    whole = undisturbed("synchronous")
    assert tiny("early", "pipeline.mode=synchronous", "--kill", "step:1:1") == KILLED
    assert tiny("early", "pipeline.mode=synchronous", "--resume") == 0
    refuse_difference(folder / whole, folder / "early")


def test_replaced_groups_and_the_online_filter_are_gone_on_with_too(
    folder: Path, tiny: Tiny
) -> None:
    changes = ("batch.dead_groups=resample", "data.online_filter=true", "limits.iterations=8")
    assert tiny("filtered", *changes) == 0
    assert tiny("filtered_killed", *changes, "--kill", "group:7:3") == KILLED
    assert tiny("filtered_killed", *changes, "--resume") == 0
    refuse_difference(folder / "filtered", folder / "filtered_killed")
    assert any(row["groups_replaced"] for row in read_log(folder / "filtered") if "rounds" in row)


def test_without_seeds_the_same_prompts_come_in_the_same_order(
    folder: Path, tiny: Tiny, undisturbed: Callable[[str], str]
) -> None:
    name = "unseeded"
    assert tiny(name, "--unseeded", "--kill", "group:6:2") == KILLED
    saved = last_checkpoint(folder / name).progress["in_flight"]
    assert tiny(name, "--unseeded", "--resume") == 0

    def asked(run: str) -> list[list[str]]:
        return [row["problems"] for row in read_log(folder / run) if row["type"] == "iteration"]

    assert asked(name) == asked(undisturbed("one_off_interleaved"))
    for batch in saved:
        in_flight = [slot["problem_id"] for slot in batch["slots"]]
        assert in_flight == asked(name)[batch["iteration"] - 1]


def test_answers_in_a_checkpoint_are_not_drawn_again(folder: Path, tiny: Tiny) -> None:
    assert tiny("kept", "--kill", "saved:4") == KILLED
    in_flight = last_checkpoint(folder / "kept").progress["in_flight"]
    assert [batch["iteration"] for batch in in_flight] == [5]


def damage(path: Path, *, how: str) -> None:
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[:-10])
    elif how == "changed":
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    else:
        path.unlink()


@pytest.mark.parametrize("name", ["policy.pt", "progress.json", "manifest.json"])
@pytest.mark.parametrize("how", ["cut", "changed", "missing"])
def test_damaged_checkpoint_is_refused_by_the_name_of_its_file(
    tmp_path: Path, name: str, how: str
) -> None:
    checkpoints = Checkpoints(tmp_path, keep=3)
    for iteration in (2, 4):
        checkpoints.save(
            iteration, policy={"weights": torch.ones(100)}, progress={"text": "x" * 200}
        )
    if name == "manifest.json" and how == "changed":
        (tmp_path / "000004" / name).write_text("{}")
    else:
        damage(tmp_path / "000004" / name, how=how)
    with pytest.raises(CheckpointInvalid, match=f"000004/{name}"):
        checkpoints.load()
    found = checkpoints.load(falls_back=True)
    assert found is not None
    assert found.iteration == 2


def test_only_the_last_checkpoints_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for iteration in (1, 2, 3):
        checkpoints.save(iteration, policy={}, progress={})
    assert checkpoints.iterations() == [2, 3]
    assert not list(tmp_path.glob(".*"))


def test_log_that_lost_rows_is_refused(folder: Path, tiny: Tiny) -> None:
    assert tiny("cut", "limits.iterations=2") == 0
    log = folder / "cut" / "log.jsonl"
    log.write_bytes(log.read_bytes()[:200])
    assert tiny("cut", "limits.iterations=2", "--resume") == 1


def test_finished_run_goes_on_when_its_limit_is_raised(folder: Path, tiny: Tiny) -> None:
    assert tiny("long", "limits.iterations=6", "evaluation.every=0") == 0
    assert tiny("short", "limits.iterations=2", "evaluation.every=0") == 0
    assert tiny("short", "limits.iterations=6", "evaluation.every=0", "--resume") == 0
    refuse_difference(folder / "long", folder / "short")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["limits.iterations=1"], RunRefused),
        (["limits.iterations=1", "batch.prompts=2", "--resume"], RecipeInvalid),
        (["limits.iterations=1", "pipeline.mode=one_off", "--resume"], RecipeInvalid),
    ],
)
def test_other_run_in_a_folder_is_refused(
    folder: Path, tiny: Tiny, tiny_run: Any, words: Sequence[str], error: type[Exception]
) -> None:
    if not (folder / "taken").exists():
        assert tiny("taken", "limits.iterations=1") == 0
    before = (folder / "taken" / "log.jsonl").read_bytes()
    with pytest.raises(error):
        tiny_run.main([str(folder / "taken"), *words])
    assert (folder / "taken" / "log.jsonl").read_bytes() == before
