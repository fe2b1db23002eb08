"""`codeloop eval new` and `validate`: a suite is scaffolded, and its faults are an exit code."""

import json
import pathlib
import subprocess
from collections.abc import Callable

import pytest

Codeloop = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def suite(codeloop: Codeloop, tmp_path: pathlib.Path) -> pathlib.Path:
    done = codeloop("eval", "new", "my_suite")
    assert done.returncode == 0, done.stderr
    assert "codeloop eval ./my_suite" in done.stdout
    return tmp_path / "my_suite"


def test_what_is_scaffolded_is_without_fault(codeloop: Codeloop, suite: pathlib.Path) -> None:
    assert (suite / "README.md").is_file()
    done = codeloop("eval", "validate", "my_suite")
    assert (done.returncode, done.stdout) == (0, "9 problems, 0 faults\n"), done.stderr


def test_its_references_pass_where_programs_can_run(
    codeloop: Codeloop, suite: pathlib.Path
) -> None:
    done = codeloop("eval", "validate", str(suite), "--run")
    if "isolation" in done.stderr and done.returncode == 1 and not done.stdout:
        pytest.skip(f"no isolation here: {done.stderr}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("ok ") == 9


def test_each_fault_is_a_line_with_file_line_and_field(
    codeloop: Codeloop, suite: pathlib.Path
) -> None:
    file = suite / "problems" / "programs.yaml"
    file.write_text(file.read_text().replace("language: bash", "language: bsh"))
    done = codeloop("eval", "validate", "my_suite")
    assert done.returncode == 1
    line, total = done.stdout.splitlines()
    assert line.startswith(
        "my_suite/problems/programs.yaml:14: problem 'programs/reverse', language: "
    )
    assert "bash" in line
    assert total == "8 problems, 1 faults"


def test_findings_are_json_lines_when_asked(codeloop: Codeloop, suite: pathlib.Path) -> None:
    (suite / "problems.jsonl").write_text('{"id": "a", "prompt": "p"}\n')
    done = codeloop("eval", "validate", "my_suite", "--json")
    assert done.returncode == 1
    (row,) = map(json.loads, done.stdout.splitlines())
    assert (row["line"], row["problem"]) == (1, "a")


def test_a_folder_that_is_not_empty_is_left_alone(codeloop: Codeloop, suite: pathlib.Path) -> None:
    before = sorted(suite.rglob("*"))
    done = codeloop("eval", "new", "my_suite")
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert sorted(suite.rglob("*")) == before


def test_a_folder_that_is_no_suite_is_wrong_usage(
    codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = codeloop("eval", "validate", "empty")
    assert done.returncode == 2
    assert "codeloop eval new" in done.stderr
