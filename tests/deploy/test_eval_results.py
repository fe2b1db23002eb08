"""`codeloop eval report`, `compare`, `power`, `gate` and `codeloop leaderboard`, as commands."""

import json
import pathlib
import subprocess
from collections.abc import Callable

import pytest

from evaluator.journal import Journal, Sample, write_manifest
from evaluator.judgement import Grade, Judgement

Codeloop = Callable[..., subprocess.CompletedProcess[str]]


def write_run(folder: pathlib.Path, num_right: int, *, recipe: str = "r", samples: int = 1) -> None:
    """A run of one suite with 60 problems, the first ones right."""
    write_manifest(folder, {"model": "tiny", "suites": {"s": {"recipe": recipe}}})
    with Journal(folder) as journal:
        for number in range(60):
            for index in range(samples):
                sample = Sample(suite="s", problem=f"p{number}", index=index)
                journal.write_sample(sample)
                is_right = number < num_right and (index == 0 or number % 2 == 0)
                grade = Grade.PASS if is_right else Grade.WRONG_ANSWER
                journal.write_judgement(sample, "strict", Judgement(grade=grade))


@pytest.fixture
def runs(tmp_path: pathlib.Path) -> None:
    """Runs a (30 right), b (45 right), and c of another recipe, in the folder of the command."""
    write_run(tmp_path / "a", 30)
    write_run(tmp_path / "b", 45)
    write_run(tmp_path / "c", 45, recipe="other", samples=3)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("shape", "begins"),
    [
        ("table", "tiny"),
        ("markdown", "# tiny"),
        ("csv", "run,model"),
        ("json", "{"),
        ("html", "<!doctype html>"),
        ("hf", "model-index:"),
        ("lm-eval", "{"),
        ("junit", "<?xml"),
    ],
)
def test_a_report_goes_to_stdout_or_a_file_in_every_format(
    codeloop: Codeloop, tmp_path: pathlib.Path, shape: str, begins: str
) -> None:
    done = codeloop("eval", "report", "a", "--format", shape)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(begins)
    assert codeloop("eval", "report", "a", "-f", shape, "-o", "out").returncode == 0
    assert (tmp_path / "out").read_text(encoding="utf-8") == done.stdout


@pytest.mark.usefixtures("runs")
def test_a_comparison_tells_who_is_better(codeloop: Codeloop) -> None:
    done = codeloop("eval", "compare", "a", "b")
    assert done.returncode == 0, done.stderr
    assert "B is better" in done.stdout
    assert done.stdout.count("won  p") == 15
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.usefixtures("runs")
def test_other_recipes_are_refused_and_the_way_out_works(codeloop: Codeloop) -> None:
    done = codeloop("eval", "compare", "a", "c")
    assert done.returncode == 1
    assert "recipe: r and other" in done.stderr
    assert "--anyway" in done.stderr
    assert "the recipes differ" in codeloop("eval", "compare", "a", "c", "--anyway").stdout


def gate_code(codeloop: Codeloop, folder: pathlib.Path, text: str, *arguments: str) -> int:
    (folder / "gate.toml").write_text(f"[suites.s]\n{text}\n")
    return codeloop("eval", "gate", "gate.toml", *arguments).returncode


@pytest.mark.usefixtures("runs")
def test_the_gate_answers_by_its_exit_code(codeloop: Codeloop, tmp_path: pathlib.Path) -> None:
    better = ("--candidate", "b", "--live", "a")
    assert gate_code(codeloop, tmp_path, "margin = 0.01", *better) == 0
    assert gate_code(codeloop, tmp_path, "margin = 2", *better) == 1
    assert gate_code(codeloop, tmp_path, "margin = 0.01", "--candidate", "b") == 1
    assert gate_code(codeloop, tmp_path, "floor = 0.1") == 1
    assert gate_code(codeloop, tmp_path, "floor = 0.1", "--candidate", "nothing") == 2
    assert gate_code(codeloop, tmp_path, "margin = 0.1", "--candidate", "c", "--live", "a") == 2
    worse = ("--candidate", "a", "--live", "b")
    assert gate_code(codeloop, tmp_path, "margin = 0.01", *worse) == 3
    assert gate_code(codeloop, tmp_path, "margin = 0.01", "--candidate", "a", "--live", "a") == 4


@pytest.mark.usefixtures("runs")
def test_the_gates_evidence_is_json(codeloop: Codeloop, tmp_path: pathlib.Path) -> None:
    (tmp_path / "gate.toml").write_text("[suites.s]\nfloor = 0.3\nmargin = 0.01\n")
    arguments = ("--candidate", "b", "--live", "a", "--json", "--out", "answer.json")
    done = codeloop("eval", "gate", "gate.toml", *arguments)
    data = json.loads(done.stdout)
    assert data["answer"] == "passed"
    assert data["evidence"][0]["only_candidate"] == 15
    assert json.loads((tmp_path / "answer.json").read_text()) == data


@pytest.mark.usefixtures("runs")
def test_a_plan_says_how_many_samples_and_problems(codeloop: Codeloop) -> None:
    done = codeloop(
        "eval", "power", "--problems", "164", "--discordant", "0.06", "--within", "0.015"
    )
    assert done.returncode == 0, done.stderr
    assert "5.4 points on problems like these" in done.stdout
    assert "of single samples disagree" in codeloop("eval", "power", "--run", "c").stdout
    refused = codeloop("eval", "power", "--run", "a")
    assert refused.returncode == 1
    assert "one sample a problem" in refused.stderr


@pytest.mark.usefixtures("runs")
def test_a_leaderboard_is_a_folder_of_pages(codeloop: Codeloop, tmp_path: pathlib.Path) -> None:
    done = codeloop("leaderboard", "a", "b", "c", "--out", "site")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "site").glob("run-*.html"))) == 3
    assert (tmp_path / "site" / "index.html").is_file()


def test_what_is_no_run_is_told_in_one_line(codeloop: Codeloop) -> None:
    done = codeloop("eval", "report", "nothing")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is no run folder" in done.stderr
