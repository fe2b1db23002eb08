"""Grades a function by its values on many inputs, against those of the reference (HumanEval+, MBPP+).

Strict: arguments go in, values come out as plain data and are compared here: a program has nothing
to find and nothing to patch, and an object that claims to be equal is equal to nothing. Official:
EvalPlus' own way, in one process with the expected values; see evaluator.official.evalplus.
"""

from typing import Any

from evaluator.errors import GraderUnavailable
from evaluator.grading.bench import Bench, failing_grade, python_program
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.official import evalplus
from evaluator.problem import FunctionTask
from evaluator.reference import Expected, expected_values
from evaluator.values import ORACLES, are_equal
from sandbox.outcome import CallOutcome, Outcome, Verdict
from sandbox.program import MIB, Limits
from sandbox.worker.values import may_hold_object

LEAST_SECONDS = 4.0
REFERENCE_FACTOR = 4.0
"""A call may take 4 times what the reference took, at least 4 s (EvalPlus, later state)."""

MOST_SECONDS = 60.0
_SLEEP_SECONDS = 5.0
MEMORY_BYTES = 4096 * MIB
RESULT_BYTES = 256 * MIB
_SPARE_BYTES = 64 << 10
"""An answer that need not be the reference's own is read if it has 16 times its length, and this."""

_SHOWN = 400


def grade(task: FunctionTask, code: str, bench: Bench) -> Judgement:
    """The grade of one program."""
    if not task.base_inputs and not task.plus_inputs:
        raise GraderUnavailable(
            f"{task.entry_point} has no inputs: every program would pass; add some to its suite"
        )
    if bench.is_official:
        return evalplus.grade(task, code, bench)
    parts = {"base": task.base_inputs, "plus": task.plus_inputs}
    scores: dict[str, bool] = {}
    total = Judgement(grade=Grade.PASS, num_tests=sum(map(len, parts.values())))
    for name, inputs in parts.items():
        if not inputs:
            continue
        part = _grade_part(task, code, inputs, bench)
        total = _joined(total, part)
        scores[name] = part.is_right
        if not part.is_right:
            break
    # What was not run, because a part before it failed, is not solved.
    return _with_scores(
        total, {name: scores.get(name, False) for name, part in parts.items() if part}
    )


def _grade_part(
    task: FunctionTask, code: str, inputs: tuple[tuple[Any, ...], ...], bench: Bench
) -> Judgement:
    expected = expected_values(bench, task.reference, task.entry_point, inputs)
    call_seconds = max(LEAST_SECONDS, REFERENCE_FACTOR * max(expected.seconds))
    limits = limits_of(expected)
    outcome, results = bench.sandbox.call(
        python_program(code), task.entry_point, inputs, limits, in_turn_seconds=call_seconds
    )
    passed, failure = 0, None
    for number, result in enumerate(results):
        if result.verdict is not Verdict.OK or not _is_right(
            task, inputs, expected, number, result
        ):
            failure = _failure(inputs, expected, number, result)
            break
        passed += 1
    grade = Grade.PASS
    if failure is not None:
        grade = _grade_of(results[passed], outcome, call_seconds, passed)
    return Judgement(
        grade=grade,
        num_passed=passed,
        num_tests=len(inputs),
        failure=failure,
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )


def limits_of(expected: Expected) -> Limits:
    """Limits of all calls of a part together (EvalPlus: the calls' sum, at most 60 s, and a second)."""
    seconds = sum(max(LEAST_SECONDS, REFERENCE_FACTOR * one) for one in expected.seconds)
    cpu_seconds = min(MOST_SECONDS, seconds) + 1
    return Limits(
        cpu_seconds=cpu_seconds,
        # The wait for a processor is not counted, so a program that takes longer sleeps.
        wall_seconds=cpu_seconds + _SLEEP_SECONDS,
        memory_bytes=MEMORY_BYTES,
        output_bytes=RESULT_BYTES,
    )


def _is_right(
    task: FunctionTask,
    inputs: tuple[tuple[Any, ...], ...],
    expected: Expected,
    number: int,
    result: CallOutcome,
) -> bool:
    wanted = expected.encoded[number]
    # NaN is equal to nothing by Python's rules, and to itself by its bytes: the rare case is looked
    # at. Of an object there is only its type's name, which a program may give to a type of its own.
    if result.encoded == wanted and not task.oracle and not may_hold_object(wanted):
        return True
    if not task.oracle:
        return are_equal(expected.value(number), result.value, task.tolerance)
    if len(result.encoded) > _SPARE_BYTES + 16 * len(wanted):
        return False
    oracle = ORACLES[task.oracle]
    return oracle(inputs[number], expected.value(number), result.value, task.tolerance)


def _grade_of(result: CallOutcome, outcome: Outcome, call_seconds: float, passed: int) -> Grade:
    if outcome.verdict is Verdict.COMPILE_ERROR:
        return Grade.COMPILE_ERROR
    if result.verdict is not Verdict.OK:
        return failing_grade(result, call_seconds)
    return Grade.PARTIAL if passed else Grade.WRONG_ANSWER


def _failure(
    inputs: tuple[tuple[Any, ...], ...], expected: Expected, number: int, result: CallOutcome
) -> Failure:
    is_value = result.verdict is Verdict.OK
    return Failure(
        test=number,
        given=shown(inputs[number]),
        expected=shown(expected.value(number)),
        got=shown(result.value) if is_value else "",
        message="" if is_value else result.error or result.verdict.value,
    )


def shown(value: Any) -> str:
    """A value for people, cut to a readable length."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        return "(too large to show)"
    return shown_text(text)


def shown_text(text: str) -> str:
    """A text for people, cut to a readable length."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _joined(total: Judgement, part: Judgement) -> Judgement:
    grade = part.grade
    if grade is Grade.WRONG_ANSWER and total.num_passed:
        grade = Grade.PARTIAL
    return Judgement(
        grade=grade,
        num_passed=total.num_passed + part.num_passed,
        num_tests=total.num_tests,
        failure=part.failure,
        cpu_seconds=total.cpu_seconds + part.cpu_seconds,
        wall_seconds=total.wall_seconds + part.wall_seconds,
        peak_memory_bytes=max(total.peak_memory_bytes, part.peak_memory_bytes),
    )


def _with_scores(judged: Judgement, scores: dict[str, bool]) -> Judgement:
    return Judgement(**{**vars(judged), "scores": scores})
