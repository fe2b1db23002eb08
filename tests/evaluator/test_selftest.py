"""A suite's own answers are graded first: a reference that fails is found, an empty answer never passes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.grading.bench import Bench
from evaluator.judgement import Grade
from evaluator.problem import FunctionTask, Problem
from evaluator.selftest import Kind, graded, own_answers, share_killed

CLAMP = "def f(x):\n    return x - 1 if x > 3 else 0\n"


def problem(reference: str | None, checked: str = CLAMP) -> Problem:
    inputs = tuple((number,) for number in range(6))
    task = FunctionTask(entry_point="f", reference=checked, base_inputs=inputs)
    return Problem(id="p", statement="", task=task, reference=reference)


def test_a_right_reference_passes_and_its_mutants_and_the_empty_answer_do_not(
    strict_bench: Bench,
) -> None:
    found = list(graded(list(own_answers([problem(CLAMP)], has_mutants=True)), strict_bench))
    kinds = [one.kind for one in found]
    assert kinds == [Kind.REFERENCE, Kind.MUTANT, Kind.MUTANT, Kind.MUTANT, Kind.EMPTY]
    assert all(one.is_as_it_should_be for one in found)
    assert share_killed(found) == 1.0


@pytest.mark.parametrize(
    ("reference", "grade"),
    [
        ("def f(x):\n    return x\n", Grade.WRONG_ANSWER),
        ("def g(x):\n    return x\n", Grade.RUNTIME_ERROR),
        ("def f(x)\n", Grade.COMPILE_ERROR),
    ],
)
def test_a_reference_that_fails_is_reported(
    reference: str, grade: Grade, strict_bench: Bench
) -> None:
    answers = list(own_answers([problem(reference)], has_mutants=False))
    first, empty = graded(answers, strict_bench)
    assert not first.is_as_it_should_be
    if grade is not Grade.WRONG_ANSWER:
        assert first.judgement.grade is grade
    assert empty.is_as_it_should_be


def test_a_test_that_takes_anything_is_reported(strict_bench: Bench) -> None:
    builtin = FunctionTask(
        entry_point="abs", reference="def abs(x):\n    return x\n", base_inputs=((1,), (2,))
    )
    loose = Problem(id="p", statement="", task=builtin)
    (empty,) = graded(list(own_answers([loose], has_mutants=True)), strict_bench)
    assert empty.kind is Kind.EMPTY
    assert not empty.is_as_it_should_be


def test_without_mutants_there_is_no_share(strict_bench: Bench) -> None:
    assert share_killed(list(graded([], strict_bench))) is None


@pytest.mark.parametrize(("expected", "code"), [(3, 0), (4, 2)])
def test_the_command_ends_with_2_for_a_suite_whose_reference_fails(
    expected: int, code: int, tmp_path: Path
) -> None:
    suite = tmp_path / "ours"
    suite.mkdir()
    (suite / "suite.yaml").write_text("name: ours\n")
    row = {
        "id": "one",
        "prompt": "Give the length of a text.",
        "calls": {"function": "f", "tests": [{"arguments": ["abc"], "expected": expected}]},
        "reference": "def f(text):\n    return len(text)\n",
    }
    (suite / "problems.jsonl").write_text(json.dumps(row) + "\n")
    command = (sys.executable, "-c", "from deploy.cli import main; main()")
    done = subprocess.run(
        [*command, "eval", "selftest", "ours/"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert f"{int(code == 0)} of 1 references pass" in done.stdout
