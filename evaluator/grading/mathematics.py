"""Grades mathematical answers: MathTask.

strict    AIME: the integer in the last \\boxed after the reasoning, written in any usual way.
          MATH-500: math-verify on what the last \\boxed holds, and on nothing before it.
official  AIME: rLLM's verdict, as DeepCoder was measured: the answer follows a closing think tag.
          MATH-500: math-verify on the whole answer, wherever in it an expression is found.

An answer that cannot be compared within its CPU time is not equal, and its failure says so.
"""

import atexit
import re
from functools import cache

from evaluator.grading.bench import Bench, Rules
from evaluator.grading.boxed import last_boxed
from evaluator.grading.math_pool import MAX_LENGTH, Equality, MathPool
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import MathTask

_SHOWN = 200
_MOST_DIGITS = 40
_WORDS = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_DECORATION = re.compile(r"\\[,;:! $%]|\\(?:left|right|quad|displaystyle)\b|[${}~]|\^?\s*\\circ\b")
_INTEGER = re.compile(
    r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+))(?:\.0*)?(?:\s+[A-Za-z ]*|\\?%)?", re.ASCII
)


@cache
def pool() -> MathPool:
    """The processes that compare, for the whole evaluator; they end with it."""
    processes = MathPool()
    atexit.register(processes.close)
    return processes


def grade(task: MathTask, code: str, bench: Bench) -> Judgement:
    """Grade an answer's text. Raises OSError when our comparing process failed."""
    is_strict = bench.rules is Rules.STRICT
    box = last_boxed(code)
    if is_strict and box is None:
        return Judgement(grade=Grade.NO_CODE, failure=Failure(message="nothing is \\boxed{}"))
    if is_strict and task.integer:
        found = Equality(is_equal=integer_of(box or "") == int(task.expected))
    elif is_strict:
        found = _strictly_equal(box or "", task.expected)
    else:
        rule = "rllm_deepcoder" if task.integer else "math_verify"
        found = pool().compare(rule, code, task.expected)
    if found.is_equal:
        return Judgement(grade=Grade.PASS, num_passed=1, num_tests=1)
    given = code[-_SHOWN:] if box is None else box[:_SHOWN]
    failure = Failure(test=0, expected=task.expected, got=given, message=found.reason)
    return Judgement(grade=Grade.WRONG_ANSWER, num_tests=1, failure=failure)


def verdicts(answer: str, truth: str) -> dict[str, bool]:
    """What each rule says of a whole answer, reasoning included.

    rllm_deepcoder and math_verify are the harnesses'; strict is ours for MATH-500. Raises OSError.
    """
    after = answer.rpartition("</think>")[2].partition("<think>")[0]
    box = last_boxed(after)
    return {
        "rllm_deepcoder": pool().compare("rllm_deepcoder", answer, truth).is_equal,
        "math_verify": pool().compare("math_verify", answer, truth).is_equal,
        "strict": box is not None and _strictly_equal(box, truth).is_equal,
    }


def integer_of(text: str) -> int | None:
    """The integer that a boxed text names: 204, 0204, 204.0, 1,204, n = 204, 204 \\text{ cm}."""
    text = _DECORATION.sub("", _WORDS.sub(r" \1 ", text))
    text = text.rpartition("=")[2].strip()
    found = _INTEGER.fullmatch(text)
    if found is None or len(found[1]) > _MOST_DIGITS:
        return None
    return int(found[1].replace(",", ""))


def _strictly_equal(box: str, truth: str) -> Equality:
    if box.strip() == truth.strip():
        return Equality(is_equal=True)
    if len(box) > MAX_LENGTH // 10:
        return Equality(is_equal=False, reason=f"the boxed answer has {len(box)} characters")
    return pool().compare("last_box", f"\\boxed{{{box}}}", truth)
