"""Grades programs of any language that carry their own tests: ProgramTask.

The program is head + answer + tail, compiled and run in the sandbox; exit code 0 means right, unless
its output has a mark of failure. Strict rules want proof that the tests came to their end where the
task can give it: the tail prints an argument that no program can know beforehand, so an exit before
the tests does not pass. What runs beside its tests could still be written to find and print the
argument; FunctionTask and CheckTask, which keep answers outside, exist for Python only.
"""

import secrets

from evaluator.grading.bench import Bench, Rules, failing_grade
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import ProgramTask
from sandbox.outcome import Outcome, Verdict
from sandbox.program import MIB, Limits, Program

MEMORY_BYTES = 1024 * MIB
_SHOWN = 400


def grade(task: ProgramTask, code: str, bench: Bench) -> Judgement:
    """Grade a program. Raises SandboxError, such as for a language whose compiler is not here."""
    proof = secrets.token_hex(8) if task.proves_end else ""
    outcome = bench.sandbox.run(
        _program(task, code, proof), Limits(cpu_seconds=task.seconds, memory_bytes=MEMORY_BYTES)
    )
    found, message = _grade(task, outcome, proof if bench.rules is Rules.STRICT else "")
    return Judgement(
        grade=found,
        num_passed=int(found is Grade.PASS),
        num_tests=1,
        failure=None if found is Grade.PASS else Failure(message=message),
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )


def _program(task: ProgramTask, code: str, proof: str) -> Program:
    sources = {task.file: "\n".join((task.head, code, task.tail)), **task.files}
    return Program(
        language=task.language,
        files={name: text.encode("utf-8", "surrogatepass") for name, text in sources.items()},
        arguments=(proof,) if proof else (),
    )


def _grade(task: ProgramTask, outcome: Outcome, proof: str) -> tuple[Grade, str]:
    """The grade, and why it is no better."""
    said = outcome.stderr + b"\n" + outcome.stdout
    if outcome.verdict in (Verdict.OK, Verdict.RUNTIME_ERROR):
        for mark in task.failure_marks:
            if mark.encode() in said:
                return Grade.WRONG_ANSWER, _end_of(said)
    if not outcome.ok:
        return failing_grade(outcome, task.seconds), _end_of(said)
    if proof and proof.encode() not in outcome.stdout.splitlines():
        return Grade.WRONG_ANSWER, "it ended before its tests did"
    return Grade.PASS, ""


def _end_of(said: bytes) -> str:
    """The beginning of what a compiler said, or of a program's last words."""
    text = said.decode(errors="replace").strip()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} … {text[-_SHOWN // 2 :]}"
