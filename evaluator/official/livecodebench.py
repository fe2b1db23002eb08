"""LiveCodeBench's rules for Python: all tests in one process, 6 s each by the alarm clock.

Source: LiveCodeBench lcb_runner/evaluation/testing_util.py (28fef95). A process that vanishes or runs
past (6 + 1) x tests + 5 s is its TestRunnerError: not passed.
"""

import json
from typing import Any

from evaluator.grading.bench import Bench, failing_grade
from evaluator.inside import inside_program
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import CallTask, StdioTask
from sandbox.outcome import Verdict
from sandbox.program import MIB, Limits

_MEMORY_BYTES = 4096 * MIB
_GRADES = {-2: Grade.WRONG_ANSWER, -3: Grade.CPU_TIME_OUT, -4: Grade.RUNTIME_ERROR}


def grade_stdio(task: StdioTask, code: str, bench: Bench) -> Judgement:
    """The harness's verdict on a program that reads standard input."""
    inputs = [given for given, _ in task.tests]
    outputs = [expected for _, expected in task.tests]
    return _grade("judge_stdio", (code, inputs, outputs, task.seconds), task.seconds, bench)


def grade_calls(task: CallTask, code: str, bench: Bench) -> Judgement:
    """The harness's verdict on a function."""
    inputs = ["\n".join(map(json.dumps, arguments)) for arguments, _ in task.tests]
    outputs = [json.dumps(expected) for _, expected in task.tests]
    asked = (code, task.function, inputs, outputs, task.seconds)
    return _grade("judge_calls", asked, task.seconds, bench)


def _grade(function: str, asked: tuple[Any, ...], seconds: float, bench: Bench) -> Judgement:
    num_tests = len(asked[-2])
    most = (seconds + 1) * num_tests + 5
    outcome, results = bench.sandbox.call(
        inside_program("guard", "livecodebench"),
        function,
        [asked],
        Limits(cpu_seconds=most + 1, wall_seconds=most, memory_bytes=_MEMORY_BYTES, processes=256),
        in_turn_seconds=most,
    )
    said = results[0].value
    is_said = isinstance(said, tuple) and len(said) == 3
    if not is_said or not isinstance(said[0], list) or not isinstance(said[1], int):
        passed = 0
        found = failing_grade(results[0], most) if results[0].verdict is not Verdict.OK else None
        found, message = found or Grade.RUNTIME_ERROR, "TestRunnerError"
    else:
        passed = sum(one is True for one in said[0])
        message = str(said[2])
        is_right = bool(said[0]) and all(one is True for one in said[0])
        found = Grade.PASS if is_right else _GRADES.get(said[1], Grade.RUNTIME_ERROR)
        if found is Grade.WRONG_ANSWER and passed:
            found = Grade.PARTIAL
    return Judgement(
        grade=found,
        num_passed=passed,
        num_tests=num_tests,
        failure=None if found is Grade.PASS else Failure(test=passed, message=message),
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )
