"""Each of the twelve grades is reached by a real answer or program, whatever the kind of its task."""

from typing import Any

import pytest

from evaluator.grading.bench import Bench
from evaluator.journal import Sample
from evaluator.judge import judge_answer, judge_code
from evaluator.judgement import Grade, Judgement
from evaluator.problem import CallTask, CheckTask, FunctionTask, Problem, StdioTask, Task
from evaluator.prompt import ask
from evaluator.suite import Suite

DOUBLE = "def f(x):\n    return 2 * x\n"
SECONDS = 0.4
TASKS: dict[str, Task] = {
    "function": FunctionTask(
        entry_point="f", reference=DOUBLE, base_inputs=((1,), (2,)), plus_inputs=((3,),)
    ),
    "check": CheckTask(
        entry_point="f",
        reference=DOUBLE,
        test="def check(g):\n    assert g(1) == 2\n    assert g(2) == 4\n    assert g(3) == 6\n",
        seconds=SECONDS,
    ),
    "call": CallTask(
        function="f", tests=(((1,), 2), ((2,), 4), ((3,), 6)), seconds=SECONDS
    ),
    "stdio": StdioTask(
        tests=(("1", "2"), ("2", "4"), ("3", "6")), seconds=SECONDS, memory_mib=64
    ),
}  # fmt: skip
PRINTED = "\nprint(f(int(input())))\n"
PROGRAMS: dict[Grade, str] = {
    Grade.PASS: DOUBLE,
    Grade.WRONG_ANSWER: "def f(x):\n    return 2 * x + 1\n",
    Grade.PARTIAL: "def f(x):\n    return min(2 * x, 3)\n",
    Grade.RUNTIME_ERROR: "def f(x):\n    return 1 // (x - x)\n",
    Grade.COMPILE_ERROR: "def f(x:\n    return 2 * x\n",
    Grade.CPU_TIME_OUT: "def f(x):\n    while True:\n        pass\n",
    Grade.WALL_TIME_OUT: "import time\n\ndef f(x):\n    time.sleep(1000)\n",
    Grade.MEMORY: "def f(x):\n    return len(b'x' * (1 << (46 if __name__ == 'solution' else 28)))\n",
}
"""Function → program. WALL_TIME_OUT waits for seconds: on the shortest kind only, as looping is."""

KINDS = {Grade.WALL_TIME_OUT: ("stdio",), Grade.CPU_TIME_OUT: ("check", "call", "stdio")}


def judged(kind: str, source: str, bench: Bench) -> Judgement:
    program = source + PRINTED if kind == "stdio" else source
    return judge_code(Problem(id=kind, statement="", task=TASKS[kind]), program, bench)


@pytest.mark.parametrize(
    ("grade", "kind"),
    [(grade, kind) for grade in PROGRAMS for kind in KINDS.get(grade, tuple(TASKS))],
)
def test_program_has_the_grade_of_what_it_does(
    grade: Grade, kind: str, strict_bench: Bench
) -> None:
    found = judged(kind, PROGRAMS[grade], strict_bench)
    assert found.grade is grade, found.failure
    assert found.num_tests == 3
    assert found.num_passed == {Grade.PASS: 3, Grade.PARTIAL: 1}.get(grade, 0)
    if grade is not Grade.PASS and grade is not Grade.COMPILE_ERROR:
        assert found.failure is not None
        assert found.failure.test == found.num_passed


@pytest.mark.parametrize("kind", ["stdio"])
def test_too_much_printed_is_output(kind: str, strict_bench: Bench) -> None:
    source = "def f(x):\n    while True:\n        print('x' * 100000)\n"
    assert judged(kind, source, strict_bench).grade is Grade.OUTPUT


def test_too_much_in_results_is_output(strict_bench: Bench) -> None:
    source = (
        "import os\n\ndef f(x):\n    while True:\n        for fd in range(3, 16):\n"
        "            try:\n                os.write(fd, bytes(1 << 20))\n"
        "            except OSError:\n                pass\n"
    )
    assert judged("call", source, strict_bench).grade in (Grade.OUTPUT, Grade.RUNTIME_ERROR)


SUITE = Suite(
    name="s", title="S", source="here", licence="none", files=(), load=lambda _: [],
    prompt=lambda problem: ask(problem.statement),
)  # fmt: skip


def answered(text: str, bench: Bench, **more: Any) -> Judgement:
    problem = Problem(id="p", statement="", task=TASKS["function"])
    sample = Sample(suite="s", problem="p", index=0, text=text, **more)
    return judge_answer(SUITE, problem, sample, bench)


def test_answer_without_code_is_no_code(strict_bench: Bench) -> None:
    assert answered("I do not know.", strict_bench).grade is Grade.NO_CODE


def test_answer_cut_at_its_limit_is_truncated_unless_it_is_right(strict_bench: Bench) -> None:
    for text in (
        "<think>Let me see",
        "```python\ndef f(x):\n    return",
        "```python\n" + "x = 1\n",
    ):
        assert answered(text, strict_bench, finish_reason="length").grade is Grade.TRUNCATED
    right = f"```python\n{DOUBLE}```\nAnd now I expl"
    assert answered(right, strict_bench, finish_reason="length").grade is Grade.PASS


def test_sample_without_an_answer_and_task_without_a_grader_are_infrastructure(
    strict_bench: Bench,
) -> None:
    failed = answered("", strict_bench, error="the endpoint answered 500 four times")
    assert failed.grade is Grade.INFRASTRUCTURE
    assert not failed.is_scored
    for task in (
        StdioTask(tests=(("", ""),), language="cobol-74"),
        StdioTask(tests=()),
        CallTask(function="f", tests=()),
        FunctionTask(entry_point="f", reference=DOUBLE, base_inputs=()),
        FunctionTask(entry_point="f", reference="def f(x):\n    raise ValueError\n",
                     base_inputs=((1,),)),
    ):  # fmt: skip
        found = judge_code(Problem(id="p", statement="", task=task), DOUBLE, strict_bench)
        assert found.grade is Grade.INFRASTRUCTURE, task
        assert found.failure is not None
        assert found.failure.message


def test_every_grade_is_reached_here() -> None:
    elsewhere = {Grade.OUTPUT, Grade.NO_CODE, Grade.TRUNCATED, Grade.INFRASTRUCTURE}
    assert PROGRAMS.keys() | elsewhere == set(Grade)
    assert len(Grade) == 12
