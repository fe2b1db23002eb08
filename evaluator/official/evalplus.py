"""EvalPlus' rules: base and plus each in one process, stopped at the first input that fails.

Source: evalplus 0.3.1 evalplus/eval/__init__.py, with the later state's 4.0 s for each input and its
repair of HumanEval/32.
"""

from typing import Any

from evaluator.grading.bench import Bench, failing_grade
from evaluator.inside import inside_program
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import FunctionTask
from evaluator.reference import expected_values
from sandbox.outcome import Verdict
from sandbox.program import MIB, Limits
from sandbox.worker.values import is_digest

MIN_SECONDS, REFERENCE_FACTOR, MOST_SECONDS = 4.0, 4.0, 60.0
_MEMORY_BYTES = 4096 * MIB


def grade(task: FunctionTask, code: str, bench: Bench) -> Judgement:
    """Both parts are judged, whatever the first came to; the grade is of the first that failed."""
    parts = {"base": task.base_inputs, "plus": task.plus_inputs}
    judged = {
        name: _grade_part(task, code, inputs, bench) for name, inputs in parts.items() if inputs
    }
    worst = next((part for part in judged.values() if not part.is_right), None)
    return Judgement(
        grade=Grade.PASS if worst is None else worst.grade,
        scores={name: part.is_right for name, part in judged.items()},
        num_passed=sum(part.num_passed for part in judged.values()),
        num_tests=sum(part.num_tests for part in judged.values()),
        failure=None if worst is None else worst.failure,
        cpu_seconds=sum(part.cpu_seconds for part in judged.values()),
        wall_seconds=sum(part.wall_seconds for part in judged.values()),
        peak_memory_bytes=max(part.peak_memory_bytes for part in judged.values()),
    )


def _grade_part(
    task: FunctionTask, code: str, inputs: tuple[tuple[Any, ...], ...], bench: Bench
) -> Judgement:
    expected = expected_values(bench, task.reference, task.entry_point, inputs)
    limits = [max(MIN_SECONDS, REFERENCE_FACTOR * seconds) for seconds in expected.seconds]
    most = min(MOST_SECONDS, sum(limits)) + 2
    values = [b"" if is_digest(one) else one for one in expected.encoded]
    asked = (
        code, task.entry_point, inputs, values, task.reference, limits, task.tolerance, task.oracle
    )  # fmt: skip
    outcome, results = bench.sandbox.call(
        inside_program("guard", "evalplus"),
        "judge",
        [asked],
        Limits(cpu_seconds=most + 1, wall_seconds=most, memory_bytes=_MEMORY_BYTES, processes=256),
        in_turn_seconds=most,
    )
    result = results[0]
    said = result.value if result.verdict is Verdict.OK else None
    if not isinstance(said, tuple) or len(said) != 4 or not isinstance(said[1], int):
        found, done = failing_grade(result, most), 0
        message = result.error or "no verdict came back"
    else:
        done = max(0, min(said[1], len(inputs)))
        found, message = _grade(str(said[0]), done, str(said[2]), str(said[3]))
    return Judgement(
        grade=found,
        num_passed=done,
        num_tests=len(inputs),
        failure=None if found is Grade.PASS else Failure(test=done, message=message),
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )


def _grade(status: str, done: int, kind: str, text: str) -> tuple[Grade, str]:
    if status == "pass":
        return Grade.PASS, ""
    message = f"{kind}: {text}"
    by_kind = {
        "AssertionError": Grade.PARTIAL if done else Grade.WRONG_ANSWER,
        "TimeoutException": Grade.CPU_TIME_OUT,
        "MemoryError": Grade.MEMORY,
        "SyntaxError": Grade.COMPILE_ERROR,
        "IndentationError": Grade.COMPILE_ERROR,
        "TabError": Grade.COMPILE_ERROR,
    }
    return by_kind.get(kind, Grade.RUNTIME_ERROR), message
