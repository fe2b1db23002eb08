"""The same samples have the same grades, however often and beside whatever they are graded."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evaluator.grading.bench import Bench, Rules
from evaluator.journal import Journal, Sample, read_records, write_manifest
from evaluator.judgement import Grade, Judgement
from evaluator.problem import CallTask, CheckTask, FunctionTask, Problem, StdioTask, Task
from evaluator.prompt import ask
from evaluator.regrade import regraded
from evaluator.suite import Suite

DOUBLE = "def f(x):\n    return 2 * x\n"
SECONDS = 0.1
TASKS: dict[str, Task] = {
    "function": FunctionTask(entry_point="f", reference=DOUBLE, base_inputs=((1,), (2,))),
    "check": CheckTask(
        entry_point="f",
        reference=DOUBLE,
        test="def check(g):\n    assert g(1) == 2\n    assert abs(g(2) - 4) < 0.5\n",
        seconds=SECONDS,
    ),
    "call": CallTask(function="f", tests=(((1,), 2), ((2,), 4)), seconds=SECONDS),
    "stdio": StdioTask(tests=(("1", "2"), ("2", "4")), seconds=SECONDS, memory_mib=64),
}
PROGRAMS = {
    "right": (DOUBLE, Grade.PASS),
    "nearly": ("def f(x):\n    return [0, 2, 4.1][x]\n", Grade.PARTIAL),
    "wrong": ("def f(x):\n    return {x: 1, x + 1: 2}\n", Grade.WRONG_ANSWER),
    "raises": ("def f(x):\n    return [][x]\n", Grade.RUNTIME_ERROR),
    "crashes": ("import os\n\ndef f(x):\n    os.kill(os.getpid(), 11)\n", Grade.RUNTIME_ERROR),
    "recurses": ("def f(x):\n    return f(x + 1)\n", Grade.RUNTIME_ERROR),
    "no Python": ("def f(x) return\n", Grade.COMPILE_ERROR),
    "memory": ("x = b'x' * (1 << 46)\n" + DOUBLE, Grade.RUNTIME_ERROR),
    "loops": ("def f(x):\n    while True:\n        x += 1\n", Grade.CPU_TIME_OUT),
}
"""Name → program and its grade."""

LOOPS_LONG = {("function", "loops")}
"""Left out: a function's limit is seconds."""

EXCEPTIONS = {("check", "nearly"): Grade.PASS}
PRINTED = "\nprint(f(int(input())))\n"
PROBLEMS = {kind: Problem(id=kind, statement="", task=task) for kind, task in TASKS.items()}
SUITE = Suite(
    name="s", title="S", source="here", licence="none", files=(),
    load=lambda _: list(PROBLEMS.values()), prompt=lambda problem: ask(problem.statement),
)  # fmt: skip


def samples() -> Iterator[Sample]:
    for kind in TASKS:
        for number, (name, (code, _)) in enumerate(PROGRAMS.items()):
            if (kind, name) not in LOOPS_LONG:
                text = code + PRINTED if kind == "stdio" else code
                yield Sample(suite="s", problem=kind, index=number, text=text, is_code=True)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    write_manifest(folder, {"run": "r", "model": "m", "suites": {"s": {"recipe": "r"}}})
    with Journal(folder) as opened:
        for sample in samples():
            opened.write_sample(sample)
    return folder


def grades(folder: Path, bench: Bench) -> dict[tuple[str, str], Judgement]:
    kept = [record.sample for record in read_records(folder, Rules.STRICT.value)]
    asked = ((SUITE, PROBLEMS[sample.problem], sample) for sample in kept)
    names = list(PROGRAMS)
    return {
        (sample.problem, names[sample.index]): judged
        for sample, judged in regraded(asked, bench)
    }  # fmt: skip


@contextmanager
def busy_processors(number: int) -> Iterator[None]:
    """Others that want the processors all the time."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(number)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_samples_have_the_grades_of_what_they_do(journal: Path, strict_bench: Bench) -> None:
    found = grades(journal, strict_bench)
    wanted = {(kind, name): EXCEPTIONS.get((kind, name), PROGRAMS[name][1]) for kind, name in found}
    assert {key: one.grade for key, one in found.items()} == wanted


def flips(
    journal: Path, bench: Bench, num_gradings: int
) -> dict[tuple[str, str], set[tuple[Grade, int]]]:
    """What had more than one grade, or number of tests passed, in gradings beside others."""
    seen: dict[tuple[str, str], set[tuple[Grade, int]]] = {}
    with busy_processors(2):
        for _ in range(num_gradings):
            for key, one in grades(journal, bench).items():
                seen.setdefault(key, set()).add((one.grade, one.num_passed))
    return {key: found for key, found in seen.items() if len(found) > 1}


def test_twenty_gradings_under_load_flip_nothing(journal: Path, strict_bench: Bench) -> None:
    assert not flips(journal, strict_bench, 20)


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_official_gradings_under_load_flip_nothing(journal: Path, official_bench: Bench) -> None:
    # A harness's own clocks make each grading take tens of seconds.
    assert not flips(journal, official_bench, 2)
