"""Grades a program by what it prints for each input: LiveCodeBench, CodeContests, Codeforces.

Strict: a process of its own for each test, with real streams; it must end with exit code 0, and what
it printed is compared here by the task's rule. Official: LiveCodeBench's way for Python programs;
see evaluator.official.livecodebench. Tests stop at the first that fails.
"""

from evaluator.compare import comparison
from evaluator.errors import GraderUnavailable
from evaluator.grading.bench import Bench, failing_grade
from evaluator.grading.function import shown_text
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.official import livecodebench
from evaluator.problem import StdioTask
from sandbox.outcome import Outcome, Verdict
from sandbox.program import MIB, Limits, Program

_OUTPUT_BYTES = 16 * MIB
_SPARE_OUTPUT_BYTES = 65536


def grade(task: StdioTask, code: str, bench: Bench) -> Judgement:
    """The grade of one program."""
    if not task.tests:
        raise GraderUnavailable(
            "the problem has no tests: every program would pass; add some to its suite"
        )
    if bench.is_official and task.language == "python":
        return livecodebench.grade_stdio(task, code, bench)
    is_right = comparison(task.compare)
    program = Program(
        language=task.language, files={_file(task): code.encode("utf-8", "surrogatepass")}
    )
    longest = max((len(expected) for _, expected in task.tests), default=0)
    limits = Limits(
        cpu_seconds=task.seconds,
        memory_bytes=task.memory_mib * MIB,
        output_bytes=min(_OUTPUT_BYTES, 4 * longest + _SPARE_OUTPUT_BYTES),
    )
    inputs = (given.encode("utf-8", "surrogatepass") for given, _ in task.tests)
    outcomes = list[Outcome]()
    failure: tuple[Grade, Failure] | None = None
    for number, outcome in enumerate(bench.sandbox.run_inputs(program, inputs, limits)):
        outcomes.append(outcome)
        given, expected = task.tests[number]
        if outcome.verdict is not Verdict.OK:
            found = failing_grade(outcome, task.seconds)
            message = _last_line(outcome.stderr) or outcome.verdict.value
        elif is_right(expected, outcome.stdout.decode("utf-8", "replace")):
            continue
        else:
            found = Grade.PARTIAL if number else Grade.WRONG_ANSWER
            message = ""
        got = outcome.stdout.decode("utf-8", "replace")
        failure = (
            found,
            Failure(
                test=number,
                given=shown_text(given),
                expected=shown_text(expected),
                got=shown_text(got),
                message=message,
            ),
        )
        break
    return Judgement(
        grade=Grade.PASS if failure is None else failure[0],
        num_passed=len(outcomes) - (failure is not None),
        num_tests=len(task.tests),
        failure=None if failure is None else failure[1],
        cpu_seconds=sum(one.cpu_seconds for one in outcomes),
        wall_seconds=sum(one.wall_seconds for one in outcomes),
        peak_memory_bytes=max((one.peak_memory_bytes for one in outcomes), default=0),
    )


def _file(task: StdioTask) -> str:
    return {"java": "Main.java"}.get(task.language, "main." + _SUFFIXES.get(task.language, "txt"))


_SUFFIXES = {
    "python": "py", "cpp": "cpp", "cpp20": "cpp", "c": "c", "rust": "rs", "go": "go",
    "javascript": "js", "typescript": "ts", "csharp": "cs", "php": "php", "ruby": "rb",
    "bash": "sh", "perl": "pl", "lua": "lua", "kotlin": "kt", "swift": "swift", "scala": "scala",
    "haskell": "hs", "ocaml": "ml", "julia": "jl", "r": "R", "racket": "rkt", "d": "d",
}  # fmt: skip


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:500] if lines else ""
