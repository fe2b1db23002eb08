"""Run folders as real files, written through the journal; graders over a real sandbox."""

import importlib.util
import pathlib
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from evaluator.asked import Asked, write_asked
from evaluator.data import DataFolder
from evaluator.grading.bench import Bench, Rules
from evaluator.journal import Journal, Sample, write_manifest
from evaluator.judgement import Failure, Grade, Judgement
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings

Grades = Mapping[str, Sequence[Grade]]
WriteRun = Callable[..., pathlib.Path]
DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def graders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[Rules, Bench]]:
    """Graders by strict and by official rules, whose programs may import what is installed here."""
    folders = (sysconfig.get_paths()["purelib"],) if importlib.util.find_spec("numpy") else ()
    cache = tmp_path_factory.mktemp("cache")
    with Sandbox(SandboxSettings(workers=2, python_path=folders)) as sandbox:
        yield {rules: Bench(sandbox=sandbox, rules=rules, cache=cache) for rules in Rules}


@pytest.fixture(scope="session")
def strict_bench(graders: Mapping[Rules, Bench]) -> Bench:
    """Graders by the strict rules."""
    return graders[Rules.STRICT]


@pytest.fixture(scope="session")
def official_bench(graders: Mapping[Rules, Bench]) -> Bench:
    """Graders by the official rules."""
    return graders[Rules.OFFICIAL]


@pytest.fixture(scope="session")
def data_folder() -> DataFolder:
    """The suites' own files, where they are."""
    if not DATA.is_dir():
        pytest.skip(f"the suites' files are not here: {DATA}")
    return DataFolder(DATA)


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
