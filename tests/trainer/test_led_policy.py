"""A run under torchrun: as one process runs it, and gone on with after a kill to the last bit."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.model_manifest import verify
from trainer.event_log import read_log

PROGRAM = Path(__file__).with_name("led_run.py")
SECONDS = 100
ENVIRONMENT = os.environ | {"PYTHONPATH": str(PROGRAM.parents[2]), "OMP_NUM_THREADS": "1"}
Led = Callable[..., int]


@pytest.fixture(scope="module")
def led(letters_model: Path) -> Led:
    """Runs the program on two ranks, in a folder of that name beside the model; its exit code."""

    def start(name: str, *words: str) -> int:
        folder = letters_model.parent / name
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        return subprocess.run(
            [*launcher, "--nproc-per-node=2", PROGRAM, folder, *words],
            check=False,
            timeout=SECONDS,
            env=ENVIRONMENT,
        ).returncode

    return start


def alone(folder: Path, *words: str) -> tuple[int, str]:
    """The same in one process: its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, PROGRAM.with_name("tiny_run.py"), folder, *words],
        check=False,
        timeout=SECONDS,
        text=True,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    return done.returncode, done.stderr


def rows(folder: Path) -> list[str]:
    """Of the log, without times and starts."""
    kept = [row for row in read_log(folder) if row["type"] != "session"]
    for row in kept:
        row.pop("measured", None)
    return sorted(json.dumps(row, sort_keys=True) for row in kept)


def steps(folder: Path) -> list[dict[str, Any]]:
    return [row["learner"] for row in read_log(folder) if row["type"] == "iteration"]


@pytest.mark.proof
@pytest.mark.timeout(400)
def test_run_of_two_ranks_is_that_of_one_and_goes_on_after_a_kill(
    led: Led, letters_model: Path
) -> None:
    around = letters_model.parent
    assert led("whole") == 0
    assert alone(around / "one")[0] == 0
    first, other = steps(around / "whole")[0], steps(around / "one")[0]
    for name in ("loss", "gradient_norm", "entropy", "num_tokens"):
        assert first[name] == pytest.approx(other[name], rel=1e-3, abs=1e-6)
    newest = max((around / "whole" / "versions").iterdir())
    verify(newest)

    assert led("killed", "--kill", "graded:4") != 0
    assert "is of 2 ranks and this is one process" in alone(around / "killed", "--resume")[1]
    assert led("killed", "--resume") == 0
    assert rows(around / "killed") == rows(around / "whole")
