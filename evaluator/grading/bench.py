"""What every grader works on: the sandbox, the rules, and the store of what references came to."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from evaluator.judgement import Grade
from sandbox.outcome import CallOutcome, Outcome, Verdict
from sandbox.program import Program
from sandbox.sandbox import Sandbox


class Rules(StrEnum):
    """By which rules a sample is graded."""

    STRICT = "strict"
    """What we hold to be right; nothing that cheats passes."""
    OFFICIAL = "official"
    """What the suite's own harness would say, its quirks included."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """sandbox: runs programs, for many threads. cache: folder for expected outputs, by digest."""

    sandbox: Sandbox
    rules: Rules
    cache: Path

    @property
    def is_official(self) -> bool:
        """Whether the suite's own harness is to be agreed with."""
        return self.rules is Rules.OFFICIAL

    @cached_property
    def python_version(self) -> str:
        """Of the interpreter that runs programs: what a reference returns may depend on it."""
        program = python_program("import sys\n")
        outcome, results = self.sandbox.call(program, "lambda: sys.version", [()])
        assert outcome.ok
        return str(results[0].value)


def python_program(source: str) -> Program:
    """A program of one Python file."""
    content = source.encode("utf-8", "surrogatepass")
    return Program(language="python", files={"main.py": content})


def with_setup(setup: str, code: str) -> str:
    """A program with lines before it; its `from __future__` lines come first, as Python wants them."""
    features = _FUTURE.findall(code) if setup else []
    return "".join(features) + setup + (_FUTURE.sub("\n", code) if features else code)


_FUTURE = re.compile(r"^from __future__ import [\w ,]+$\n?", re.MULTILINE)

_GRADES = {
    Verdict.OK: Grade.RUNTIME_ERROR,  # it ended well without doing what it should
    Verdict.RUNTIME_ERROR: Grade.RUNTIME_ERROR,
    Verdict.COMPILE_ERROR: Grade.COMPILE_ERROR,
    Verdict.FORBIDDEN_CALL: Grade.RUNTIME_ERROR,
    Verdict.OUT_OF_MEMORY: Grade.MEMORY,
    Verdict.OUTPUT_LIMIT: Grade.OUTPUT,
    Verdict.PROCESS_LIMIT: Grade.RUNTIME_ERROR,
    Verdict.FILE_LIMIT: Grade.OUTPUT,
}


def failing_grade(outcome: Outcome | CallOutcome, cpu_limit_seconds: float) -> Grade:
    """The grade of a program that did not end as it should, or of a call in it."""
    if outcome.verdict is Verdict.TIMED_OUT:
        is_cpu = outcome.cpu_seconds >= 0.9 * cpu_limit_seconds
        return Grade.CPU_TIME_OUT if is_cpu else Grade.WALL_TIME_OUT
    return _GRADES[outcome.verdict]
