"""`codeloop train run`: help, faults and exit codes as a person meets them."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.train_progress import cells, span
from deploy.train_run import EXIT_CODES, exit_code
from trainer import errors


def test_every_kind_of_failure_of_a_run_has_a_code_and_the_manual_tells_it() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    for kind, code in EXIT_CODES.items():
        assert exit_code(kind("reason")) == code
        assert f"| {code} |" in manual
        assert kind.__name__ in manual
    # A mismatch is a sampler's failure too, and has its own code.
    assert exit_code(errors.SamplerMismatch("reason")) != exit_code(errors.SamplerFailed("reason"))
    assert exit_code(errors.PlanRefused("reason")) == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["none.toml"], 3, "none.toml cannot be read"),
        (["tiny.toml", "--set", "batch.samples=1"], 3, "batch.samples is 1"),
        (["tiny.toml", "--set", "model.source=./nowhere"], 1, "nowhere"),
        ([], 2, "Missing argument"),
    ],
)
def test_fault_before_the_run_ends_with_its_code(
    tmp_path: Path, words: list[str], code: int, told: str
) -> None:
    arguments = ["--home", str(tmp_path / "home"), "train", "run", *words]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "run")])
    assert done.exit_code == code, done.stderr
    assert told in done.stderr
    assert not (tmp_path / "run").exists()


def test_row_without_a_step_is_shown_too() -> None:
    row = {
        "iteration": 3, "solve_rate": 0.25, "groups_live": 0, "prompts": 4, "tokens_mean": 10.0,
        "truncated_share": 0.5, "learner": {},
        "measured": {
            "sampling_seconds": 1.0, "training_seconds": 0.0, "sampler_idle_seconds": 0.5,
            "learner_idle_seconds": 0.25, "resident_bytes": 2_000_000_000,
        },
    }  # fmt: skip
    assert cells(row) == (
        "3", "25.0", "0/4", "10", "50.0", "-", "-/-", "-", "-", "1.0", "0.0", "0.8", "2.0",
    )  # fmt: skip
    assert (span(59.4), span(600), span(5400)) == ("59 s", "10 min", "1 h 30 min")


def test_rows_go_to_tensorboard_too(tmp_path: Path) -> None:
    arguments = ["--home", str(tmp_path / "home"), "train", "run", "tiny.toml"]
    arguments += ["--out", str(tmp_path / "run"), "--set", "limits.iterations=2"]
    arguments += ["--tensorboard", str(tmp_path / "events"), "--metrics-port", "0"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    (events,) = (tmp_path / "events").iterdir()
    assert b"reward/solve_rate" in events.read_bytes()


def test_a_port_that_is_taken_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["--home", str(tmp_path / "home"), "train", "run", "tiny.toml"]
        arguments += ["--out", str(tmp_path / "run"), "--metrics-port", str(port)]
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == EXIT_CODES[errors.SaveFailed]
    assert str(port) in done.stderr
    assert not (tmp_path / "run").exists()
