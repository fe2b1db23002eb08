"""Grades a function or a method of class Solution by its values on JSON arguments (LeetCode's form).

Strict: arguments go in, values come out as plain data and are compared here; tuples and lists are one,
as the answer's form is JSON, and floats are equal within the 1e-5 that LeetCode's statements promise.
Official: LiveCodeBench's way, in one process with the expected values.
"""

from typing import Any

from evaluator.errors import GraderUnavailable
from evaluator.grading.bench import Bench, failing_grade, python_program, with_setup
from evaluator.grading.function import shown
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.official import livecodebench
from evaluator.problem import CallTask
from evaluator.values import are_close
from sandbox.outcome import Verdict
from sandbox.program import MIB, Limits

FLOAT_TOLERANCE = 1e-5
PRELUDE = (
    "from typing import *\nfrom collections import *\nfrom heapq import *\nfrom bisect import *\n"
    "from itertools import *\nfrom functools import *\nfrom math import *\nfrom operator import *\n"
    "import string, re, datetime, collections, heapq, bisect, copy, math, random, itertools,"
    " functools, operator, sys, json, typing\n"
)
"""What LeetCode's own judge has imported before a solution; solutions are written for that."""

_RECURSION = "import sys; sys.setrecursionlimit(50000)\n"
_MEMORY_BYTES = 1024 * MIB
_RESULT_BYTES = 64 * MIB


def grade(task: CallTask, code: str, bench: Bench) -> Judgement:
    """The grade of one program."""
    if not task.tests:
        raise GraderUnavailable(
            f"{task.function} has no tests: every program would pass; add some to its suite"
        )
    if bench.is_official:
        return livecodebench.grade_calls(task, code, bench)
    limits = Limits(
        cpu_seconds=task.seconds * 4 + 0.1 * task.seconds * len(task.tests),
        memory_bytes=_MEMORY_BYTES,
        output_bytes=_RESULT_BYTES,
    )
    name = task.function
    function = f"(getattr(Solution(), {name!r}) if 'Solution' in globals() else {name})"
    # What is called must be the program's: `gcd` of the prelude would answer for an empty one.
    cleared = "" if "class Solution" in code else f"globals().pop({name!r}, None)\n"
    outcome, results = bench.sandbox.call(
        python_program(with_setup(_RECURSION + PRELUDE + cleared, code)),
        f"lambda *arguments: {function}(*arguments)",
        [arguments for arguments, _ in task.tests],
        limits,
        in_turn_seconds=task.seconds,
    )
    passed, failure, found = 0, None, Grade.PASS
    for (arguments, expected), result in zip(task.tests, results, strict=False):
        if result.verdict is not Verdict.OK:
            found = failing_grade(result, task.seconds)
            if outcome.verdict is Verdict.COMPILE_ERROR:
                found = Grade.COMPILE_ERROR
        elif is_same(expected, result.value):
            passed += 1
            continue
        else:
            found = Grade.PARTIAL if passed else Grade.WRONG_ANSWER
        failure = Failure(
            test=passed,
            given=shown(arguments),
            expected=shown(expected),
            got=shown(result.value) if result.verdict is Verdict.OK else "",
            message=result.error,
        )
        break
    return Judgement(
        grade=found,
        num_passed=passed,
        num_tests=len(task.tests),
        failure=failure,
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )


def is_same(expected: Any, got: Any) -> bool:
    """Whether a value is the expected JSON value: tuples are lists, floats are close."""
    if isinstance(expected, list):
        return (
            isinstance(got, list | tuple)
            and len(got) == len(expected)
            and all(map(is_same, expected, got))
        )
    if isinstance(expected, float) and isinstance(got, int | float):
        return are_close(expected, got, FLOAT_TOLERANCE)
    return bool(expected == got)
