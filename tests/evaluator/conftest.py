"""Run folders as real files, written through the journal."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from evaluator.asked import Asked, write_asked
from evaluator.journal import Journal, Sample, write_manifest
from evaluator.judgement import Failure, Grade, Judgement

Grades = Mapping[str, Sequence[Grade]]
WriteRun = Callable[..., pathlib.Path]


@pytest.fixture
def write_run(tmp_path: pathlib.Path) -> WriteRun:
    """Write a run: suite → problem → the grades of its samples.

    facts: of every suite, for the manifest. asked: rows of problems. text, code: of every sample.
    """

    def write(
        name: str,
        suites: Mapping[str, Grades],
        *,
        facts: Mapping[str, Any] | None = None,
        asked: Sequence[Asked] = (),
        text: str = "an answer",
        code: str = "x = 1",
        rules: str = "strict",
    ) -> pathlib.Path:
        folder = tmp_path / name
        told = {"recipe": "r1", **(facts or {})}
        write_manifest(
            folder, {"run": name, "model": "tiny", "suites": dict.fromkeys(suites, told)}
        )
        if asked:
            write_asked(folder, asked)
        with Journal(folder) as journal:
            for suite, problems in suites.items():
                for problem, grades in problems.items():
                    for index, grade in enumerate(grades):
                        sample = Sample(
                            suite=suite,
                            problem=problem,
                            index=index,
                            text=text,
                            finish_reason="length" if grade is Grade.TRUNCATED else "stop",
                            completion_tokens=10 * (index + 1),
                            latency_seconds=0.5,
                        )
                        journal.write_sample(sample)
                        journal.write_judgement(sample, rules, _judgement(grade, code))
        return folder

    return write


def _judgement(grade: Grade, code: str) -> Judgement:
    failure = Failure(test=2, given="[1]", expected="2", got="<b>3</b>", message="AssertionError")
    return Judgement(
        grade=grade,
        num_passed=2,
        num_tests=5,
        code=code,
        cpu_seconds=0.004,
        failure=None if grade is Grade.PASS else failure,
    )
