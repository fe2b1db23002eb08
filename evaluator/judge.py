"""From an answer to a grade: the program is taken out of it and handed to the grader of its task.

Two rule sets: `official` agrees with a suite's own harness, its quirks included; `strict` is what we
hold to be right, and nothing that cheats passes it. Programs run in the sandbox only.
"""

import importlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from evaluator.errors import GraderUnavailable
from evaluator.extract import extracted
from evaluator.grading.bench import Bench, Rules
from evaluator.journal import Sample
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import Problem, RepositoryTask, Task
from evaluator.suite import Suite
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.program import MAX_SOURCE_BYTES, MIB

log = logging.getLogger(__name__)

GRADER_VERSION = 2
"""Raised whenever a sample may get another grade than before; part of every recipe."""

GRADERS = {
    "FunctionTask": "function",
    "CheckTask": "check",
    "StdioTask": "stdio",
    "CallTask": "call",
    "ProgramTask": "program",
    "TextTask": "text",
    "KeywordTask": "keyword",
    "MathTask": "mathematics",
    "LiteralTask": "literal",
    "RepositoryTask": "repository",
}
"""Kind of task → module of `evaluator.grading`, whose `grade(task, code, bench)` is called."""

MOST_CODE_BYTES = MAX_SOURCE_BYTES - MIB
"""Longest code that is run, with room for what a task puts around it."""

_KEPT_CODE = 100_000
_TRIES = 3
_PAUSE_SECONDS = 0.5


def judge_answer(suite: Suite, problem: Problem, sample: Sample, bench: Bench) -> Judgement:
    """Grade one sample. Host failures are tried again, then are the grade INFRASTRUCTURE.

    A sample without an answer, because its endpoint failed, is INFRASTRUCTURE too. One that ended
    at its token limit and is not right is TRUNCATED, whatever else is wrong with it.
    """
    if sample.error:
        return Judgement(grade=Grade.INFRASTRUCTURE, failure=Failure(message=sample.error))
    is_official = bench.rules is Rules.OFFICIAL
    rule = suite.official_extraction if is_official else suite.extraction
    if isinstance(problem.task, RepositoryTask):
        rule = "answer"  # its grader reads the edits of several files itself
    code: str | None = sample.text
    if not sample.is_code:
        text = with_reasoning(sample) if rule == "transcript" else sample.text
        code = extracted(rule, text, problem)
    judged = Judgement(grade=Grade.NO_CODE) if code is None else judge_code(problem, code, bench)
    is_cut = sample.finish_reason == "length"
    if is_cut and judged.grade not in (Grade.PASS, Grade.INFRASTRUCTURE):
        judged = replace(judged, grade=Grade.TRUNCATED)
    return judged


def with_reasoning(sample: Sample) -> str:
    """The answer as the model wrote it, where an endpoint took its reasoning apart."""
    if not sample.reasoning:
        return sample.text
    return f"<think>\n{sample.reasoning}\n</think>\n{sample.text}"


def judge_code(problem: Problem, code: str, bench: Bench) -> Judgement:
    """Grade what was taken out of an answer."""
    size = len(code.encode("utf-8", "surrogatepass"))
    if size > MOST_CODE_BYTES:
        message = f"{size} bytes are no program: at most {MOST_CODE_BYTES} are run"
        return Judgement(
            grade=Grade.COMPILE_ERROR, code=code[:_KEPT_CODE], failure=Failure(message=message)
        )
    reason = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_SECONDS * attempt)
        try:
            return replace(
                _grader(type(problem.task).__name__)(problem.task, code, bench), code=code
            )
        except (SandboxUnavailable, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            log.warning("problem %s could not be graded: %s", problem.id, reason)
        except (SandboxError, GraderUnavailable) as error:
            # A missing compiler, a task without tests: trying again changes nothing.
            reason = f"{type(error).__name__}: {error}"
            break
    return Judgement(grade=Grade.INFRASTRUCTURE, code=code, failure=Failure(message=reason))


@cache
def _grader(kind: str) -> Callable[[Task, str, Bench], Judgement]:
    try:
        module = importlib.import_module(f"evaluator.grading.{GRADERS[kind]}")
    except ImportError as error:
        raise GraderUnavailable(f"tasks of kind {kind} cannot be graded: {error}") from error
    found: Callable[[Task, str, Bench], Judgement] = module.grade
    return found
