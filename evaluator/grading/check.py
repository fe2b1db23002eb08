"""Grades a Python program by a test's code: HumanEval, MBPP, LeetCodeDataset, infilling.

Strict: the test never shares a process with the candidate. What it calls is recorded once with the
reference; the candidate is called with those arguments in the sandbox; where its results differ from
the reference's, the test runs again on them, as plain data, in a process that holds no code of the
candidate: values are all that it gets to say there. Official: human-eval's way, all in one process.
"""

import hashlib
import marshal
from typing import Any

from evaluator.errors import GraderUnavailable
from evaluator.grading.bench import Bench, failing_grade, python_program, with_setup
from evaluator.grading.function import shown
from evaluator.inside import inside_program
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.official import human_eval
from evaluator.problem import CheckTask
from evaluator.store import stored
from sandbox.outcome import CallOutcome, Outcome, Verdict
from sandbox.program import MIB, Limits
from sandbox.worker.values import decode, encode, may_hold_object

_RECORD_LIMITS = Limits(cpu_seconds=120, memory_bytes=4096 * MIB, output_bytes=256 * MIB)
_MEMORY_BYTES = 2048 * MIB
_RESULT_BYTES = 64 * MIB
_REPLAY_BYTES = 4096 * MIB
_REPLAY_SECONDS = 4.0
"""A replay has this, or as long as the candidate's calls have."""

_MOST_ROUNDS = 200
"""Most times that a test may ask for one call more: calls whose arguments are earlier results."""

Call = tuple[tuple[Any, ...], dict[str, Any]]


def grade(task: CheckTask, code: str, bench: Bench) -> Judgement:
    """The grade of one program."""
    if bench.is_official:
        return human_eval.grade(task, code, bench)
    if not task.reference:
        raise GraderUnavailable(
            f"{task.entry_point} has a test and no reference: only --rules official can grade it"
        )
    recorded = _recorded(task, bench)
    calls: list[Call] = [(args, kwargs) for args, kwargs, _, _ in recorded]
    outcome, results = _called(task, code, calls, bench)
    wanted = [encode((result, after)) for _, _, result, after in recorded]
    same = sum(one.encoded == want for one, want in zip(results, wanted, strict=False))
    broken = next((one for one in results if one.verdict is not Verdict.OK), None)
    if broken is not None:
        number = len(results) - 1
        found = failing_grade(broken, task.seconds)
        if outcome.verdict is Verdict.COMPILE_ERROR:
            found = Grade.COMPILE_ERROR
        failure = _failure(recorded, number, broken)
        return _judged(found, same, len(calls), failure, outcome)
    if same == len(calls):
        return _judged(Grade.PASS, same, same, None, outcome)
    if any(_has_changed((args, kwargs), after) for args, kwargs, _, after in recorded):
        # The reference changes its arguments, so a test may look at them: results must be the same.
        is_right, message = False, ""
    else:
        is_right, message = _replayed(task, code, calls, results, bench)
    if is_right:
        return _judged(Grade.PASS, len(calls), len(calls), None, outcome)
    number = next(i for i, one in enumerate(results) if one.encoded != wanted[i])
    failure = _failure(recorded, number, results[number], message)
    return _judged(
        Grade.PARTIAL if same else Grade.WRONG_ANSWER, same, len(calls), failure, outcome
    )


def _recorded(task: CheckTask, bench: Bench) -> list[Any]:
    """The calls that the test makes of the reference: args, kwargs, result, (args, kwargs) after."""
    asked = (task.setup + task.reference, task.test, task.entry_point, task.candidate)
    key = hashlib.sha256(marshal.dumps(("record 2", bench.python_version, asked), 2)).hexdigest()

    def run() -> bytes:
        _, results = bench.sandbox.call(
            inside_program("check"), "record", [asked], _RECORD_LIMITS, in_turn_seconds=100
        )
        if results[0].verdict is not Verdict.OK or not isinstance(results[0].value, list):
            raise GraderUnavailable(
                f"the reference of {task.entry_point} fails its own test ({results[0].error}):"
                " nothing can be graded by it; run codeloop eval selftest"
            )
        if may_hold_object(results[0].encoded):
            raise GraderUnavailable(
                f"the test of {task.entry_point} gives it, or gets, objects that are no plain data:"
                " only --rules official can grade it"
            )
        if not results[0].value:
            raise GraderUnavailable(
                f"the test of {task.entry_point} never calls it: every program would pass"
            )
        return results[0].encoded

    found = decode(stored(bench.cache / "recorded", key, run))
    assert isinstance(found, list)
    return found


def _called(
    task: CheckTask, code: str, calls: list[Call], bench: Bench
) -> tuple[Outcome, tuple[CallOutcome, ...]]:
    """The candidate's results, each with its arguments as they are afterwards."""
    function = f"lambda args, kwargs: (({task.entry_point})(*args, **kwargs), (args, kwargs))"
    limits = Limits(
        cpu_seconds=_all_seconds(task), memory_bytes=_MEMORY_BYTES, output_bytes=_RESULT_BYTES
    )
    return bench.sandbox.call(
        python_program(with_setup(task.setup, code)),
        function,
        calls,
        limits,
        in_turn_seconds=task.seconds,
    )


def _all_seconds(task: CheckTask) -> float:
    """CPU time of all of the candidate's calls together."""
    return 3 * task.seconds + 1


def _has_changed(before: Call, after: Call) -> bool:
    """Whether arguments are others after a call. NaN is no change, nor is the order of a set."""
    return after != before and encode(after) != encode(before)


def _replayed(
    task: CheckTask,
    code: str,
    calls: list[Call],
    results: tuple[CallOutcome, ...],
    bench: Bench,
) -> tuple[bool, str]:
    """Whether the test holds for the candidate's results, and what it says if not.

    The results are read in there too: whatever they make of the test, that it runs out of time or
    memory or asks for what cannot be called, is the candidate's doing, as the reference's do not.
    """
    known = [_known(call, one) for call, one in zip(calls, results, strict=True)]
    seconds = max(_REPLAY_SECONDS, _all_seconds(task))
    limits = Limits(cpu_seconds=seconds + 1, memory_bytes=_REPLAY_BYTES)
    spent = 0.0
    for _ in range(_MOST_ROUNDS):
        asked = (task.setup + task.reference, task.test, task.entry_point, task.candidate, known)
        _, (replayed, *_) = bench.sandbox.call(
            inside_program("values", "check"), "replay", [asked], limits, in_turn_seconds=seconds
        )
        said = replayed.value
        if not isinstance(said, tuple) or len(said) != 2:
            why = replayed.error or replayed.verdict.value
            return False, f"the test did not end with these results: {why}"
        status, what = said
        if status != "need":
            return status == "pass", str(what or "")
        if not _is_callable_with(what):
            return False, "the test calls it with a result that is no plain data"
        outcome, more = _called(task, code, [what], bench)
        known.append(_known(what, more[0]))
        spent += outcome.cpu_seconds
        if spent > seconds:
            return False, f"calls with earlier results took more than {seconds:g} s"
    return False, f"the test made more than {_MOST_ROUNDS} calls that were not foreseen"


def _known(call: Call, result: CallOutcome) -> tuple[Any, ...]:
    return (*call, result.verdict is Verdict.OK, result.encoded)


def _is_callable_with(call: Any) -> bool:
    """Whether arguments that a test made of a candidate's results can be sent to it."""
    if not isinstance(call, tuple) or len(call) != 2:
        return False
    try:
        marshal.dumps(call, 2)
    except ValueError:
        return False
    return isinstance(call[0], tuple) and isinstance(call[1], dict)


def _failure(recorded: list[Any], number: int, result: CallOutcome, message: str = "") -> Failure:
    if number >= len(recorded):
        return Failure(message=message or result.error)
    args, kwargs, expected, _ = recorded[number]
    value = result.value
    is_value = isinstance(value, tuple) and len(value) == 2
    return Failure(
        test=number,
        given=shown(args if not kwargs else (*args, kwargs)),
        expected=shown(expected),
        got=shown(value[0]) if is_value else "",
        message=message or result.error or ("" if is_value else result.verdict.value),
    )


def _judged(
    grade: Grade, passed: int, tests: int, failure: Failure | None, outcome: Outcome
) -> Judgement:
    return Judgement(
        grade=grade,
        num_passed=passed,
        num_tests=tests,
        failure=failure,
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )
