"""Grades an answer that replaces files of a small project: its tests run in the sandbox, exit code 0 is right.

The answer's files are put among the project's own (format: evaluator.edits) and the command is run.
`codeloop-tests FILE…` instead of a shell command is our own runner of Python tests,
grading/runners/python_tests.py. Exit codes: 0 right, 65 it does not compile, 70 the tests could not
be loaded, any other wrong.

Solution and tests share a process in such projects. What strict rules hold against cheats:
- only editable files change: tests, conftest.py, sitecustomize.py, build files are always ours;
- an early exit with code 0: where the project's own files (or its command) hold TOKEN, that text
  becomes a word drawn at random for this run, and without it on a line of the output nothing
  passes. Our test mains print it after the last test only;
- with `codeloop-tests` moreover: tests that did not run, skips by the answer, patched unittest or
  built-ins, always-equal objects, frames and heap walks, reading test files from the disk.
Not held: a native program that finds the word in its own memory or file, a Python program that
forges the runner's report through /proc; and a plain shell command without TOKEN has only its exit
code. Official rules are the exit code alone.
"""

import secrets
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from evaluator.edits import EditRefused, parse_edits
from evaluator.grading.bench import Bench, failing_grade
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import RepositoryTask
from sandbox.errors import ToolchainMissing
from sandbox.outcome import Outcome, Verdict
from sandbox.program import MIB, Limits, Program
from sandbox.sandbox import Sandbox
from sandbox.toolchain import located, toolchain

TOKEN = "@CODELOOP_TOKEN@"
PYTHON_TESTS = "codeloop-tests"
RUNNERS = Path(__file__).parent / "runners"
COMPILE_EXIT, LOAD_EXIT = 65, 70
_EXITS = {COMPILE_EXIT: Grade.COMPILE_ERROR, LOAD_EXIT: Grade.RUNTIME_ERROR}
_SCRIPT = ".codeloop/run.sh"
_RUNNER = ".codeloop_tests.py"
_USED_UP = 0.8
_SHOWN_LINES = 30
_SHOWN_CHARACTERS = 6000


def grade(task: RepositoryTask, code: str, bench: Bench) -> Judgement:
    """The grade of an answer: text with edits."""
    try:
        edits = parse_edits(code, task.editable)
    except EditRefused as error:
        return Judgement(grade=Grade.WRONG_ANSWER, failure=Failure(message=str(error)))
    if not edits:
        which = ", ".join(task.editable)
        message = f"the answer holds no fenced block named after a file that may change: {which}"
        return Judgement(grade=Grade.NO_CODE, failure=Failure(message=message))
    return run_project(task, edits, bench)


def run_project(task: RepositoryTask, edits: Mapping[str, str], bench: Bench) -> Judgement:
    """The grade of a project with some of its files replaced."""
    _check_machine(task.requires, bench.sandbox)
    word = secrets.token_hex(16)
    program = _program(task, edits, word)
    outcome = bench.sandbox.run(program, _limits(task))
    output = outcome.stdout.decode("utf-8", "replace")
    if outcome.stderr:
        output += outcome.stderr.decode("utf-8", "replace")
    counts = _counts(output, word)
    needs_word = not bench.is_official and _has_token(task)
    shown = "\n".join(line for line in output.splitlines() if word not in line)
    passed, total = counts or (0, 0)
    if outcome.ok and (counts is not None or not needs_word):
        return _judgement(Grade.PASS, outcome, passed or 1, total or 1, "")
    if outcome.ok:
        shown += "\nthe tests ended with exit code 0 before they were done"
        return _judgement(Grade.RUNTIME_ERROR, outcome, 0, total, shown)
    return _judgement(_failing(task, outcome, passed), outcome, passed, total, shown)


def _program(task: RepositoryTask, edits: Mapping[str, str], word: str) -> Program:
    ours = {path: text.replace(TOKEN, word) for path, text in task.files.items()}
    files = {
        path: text.encode("utf-8", "surrogatepass") for path, text in {**ours, **edits}.items()
    }
    words = shlex.split(task.command)
    if words and words[0] == PYTHON_TESTS:
        runner = (RUNNERS / "python_tests.py").read_bytes()
        return Program(
            language="python",
            files={_RUNNER: runner, **files},
            arguments=(*words[1:], "--", *task.editable),
            stdin=f"{word}\n".encode(),
        )
    script = _script(task).replace(TOKEN, word)
    return Program(language="bash", files={_SCRIPT: script.encode(), **files})


def _script(task: RepositoryTask) -> str:
    """The command, where its language's tools are found. Raises ToolchainMissing."""
    chain = toolchain(task.language)
    places = {str(Path(place).parent) for place in located(chain).values()}
    lines = ["exec 2>&1", 'export PATH="' + ":".join(sorted(places)) + ':$PATH"']
    for name, value in chain.environment.items():
        lines.append(f'export {name}="{value.replace("{work}", "$PWD")}"')
    # In a shell of its own: an `exit` of the command's is its end, not the script's.
    return "\n".join([*lines, f"(\n{task.command}\n)"]) + "\n"


def _limits(task: RepositoryTask) -> Limits:
    chain = toolchain(task.language)
    least = max(chain.memory_bytes, chain.compile_memory_bytes)
    return Limits(
        cpu_seconds=task.seconds,
        memory_bytes=max(task.memory_mib * MIB, least),
        processes=2048,  # tests of locks start a thousand threads
        output_bytes=4 * MIB,
        file_bytes=512 * MIB,
        num_files=16384,
    )


@cache
def _check_machine(requires: tuple[str, ...], sandbox: Sandbox) -> None:
    """Raise ToolchainMissing unless programs see these files; asked once, before any answer runs."""
    if not requires:
        return
    tests = "\n".join(
        f"[ -e {shlex.quote(path)} ] || echo {shlex.quote(path)}" for path in requires
    )
    outcome = sandbox.run(Program(language="bash", files={_SCRIPT: tests.encode()}))
    if missing := outcome.stdout.decode("utf-8", "replace").split():
        raise ToolchainMissing(
            f"{', '.join(missing)} is not where programs run: install it there, such as Debian's"
            " junit5 and libassertj-core-java for Java's tests, or leave the language out"
        )


def _has_token(task: RepositoryTask) -> bool:
    return (
        task.command.startswith(PYTHON_TESTS)
        or TOKEN in task.command
        or any(TOKEN in text for text in task.files.values())
    )


def _counts(output: str, word: str) -> tuple[int, int] | None:
    """Passed and all tests, from the last line with the word; (0, 0) where it tells none."""
    for line in reversed(output.splitlines()):
        first, _, rest = line.strip().partition(" ")
        if first == word:
            numbers = rest.split()
            is_told = len(numbers) == 2 and all(number.isdecimal() for number in numbers)
            return (int(numbers[0]), int(numbers[1])) if is_told else (0, 0)
    return None


def _failing(task: RepositoryTask, outcome: Outcome, passed: int) -> Grade:
    if outcome.verdict is not Verdict.RUNTIME_ERROR:
        return failing_grade(outcome, task.seconds)
    # A process of the tests that used up the time is killed alone, and its parent tells a failure.
    if outcome.cpu_seconds >= _USED_UP * task.seconds:
        return Grade.CPU_TIME_OUT
    wrong = Grade.PARTIAL if passed else Grade.WRONG_ANSWER
    return _EXITS.get(outcome.exit_code or 1, wrong)


def _judgement(grade: Grade, outcome: Outcome, passed: int, total: int, output: str) -> Judgement:
    failure = None
    if grade is not Grade.PASS:
        failure = Failure(
            message=_readable(output) or f"the command ended: {outcome.verdict.value}"
        )
    return Judgement(
        grade=grade,
        num_passed=passed,
        num_tests=total,
        failure=failure,
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )


def _readable(output: str) -> str:
    """The output's first and last lines."""
    lines = output.strip().splitlines()
    if len(lines) > 2 * _SHOWN_LINES:
        left_out = len(lines) - 2 * _SHOWN_LINES
        lines = [*lines[:_SHOWN_LINES], f"… {left_out} lines …", *lines[-_SHOWN_LINES:]]
    text = "\n".join(lines)
    if len(text) > _SHOWN_CHARACTERS:
        half = _SHOWN_CHARACTERS // 2
        text = f"{text[:half]}\n…\n{text[-half:]}"
    return text
