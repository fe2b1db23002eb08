"""Grades CRUXEval: LiteralTask. A model predicts f's output for an input, or an input for an output.

official  as the repository does: the text after the first [ANSWER], cut at "==" and "assert", is put
          into `assert <output> == <text>` after the function's code, and run for at most 3 s. An
          input without "f(" and an output that repeats the call are wrong and not run. So any
          expression passes that is equal to everything.
strict    the last [ANSWER], else the last fenced block or line. An output is a literal, read by us
          and compared by us; nothing is run. An input is f's arguments: literals, operators on them,
          and calls of plain types and of texts' methods; f runs on them in the sandbox, and the value
          that comes out is compared by us.

Source: facebookresearch/cruxeval, evaluation/utils_general.py and inference/tasks.
"""

import ast
import re
from dataclasses import replace

from evaluator.grading.bench import Bench, Rules, failing_grade, python_program
from evaluator.grading.function import shown
from evaluator.grading.plain_expression import (
    PlainExpressionError,
    call_of,
    value_of,
    variables_of,
)
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import LiteralTask
from sandbox.outcome import Outcome, Verdict
from sandbox.program import Limits

SECONDS = 3.0
MAX_LENGTH = 20_000
"""Characters of an answer; the longest true one of the data has some 300."""
_MARKED = re.compile(r"\[ANSWER\](.*?)(?:\[/ANSWER\]|\Z)", re.DOTALL)
_FENCED = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)


def grade(task: LiteralTask, code: str, bench: Bench) -> Judgement:
    """Grade an answer's text."""
    if bench.rules is Rules.OFFICIAL:
        return _officially(task, code, bench)
    answer = marked_answer(code)
    if answer is None:
        return Judgement(grade=Grade.NO_CODE, num_tests=1)
    if len(answer) > MAX_LENGTH:
        return _wrong(task, answer, f"{len(answer)} characters: no answer is so long")
    try:
        if task.predict == "output":
            return _output(task, answer)
        return _input(task, answer, bench)
    except PlainExpressionError as error:
        return _wrong(task, answer, str(error))


def marked_answer(text: str) -> str | None:
    """What a model gives as its answer: in marks, else in the last fence, else in the last line."""
    for pattern in (_MARKED, _FENCED):
        found = [part.strip() for part in pattern.findall(text) if part.strip()]
        if found:
            inner = _FENCED.findall(found[-1])
            return str(inner[-1] if inner else found[-1]).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].strip("`") if lines else None


def _output(task: LiteralTask, answer: str) -> Judgement:
    given, wanted = (
        value_of(_right_side(answer)),
        value_of(ast.parse(task.expected, mode="eval").body),
    )
    return _right() if _equal(given, wanted) else _wrong(task, answer, "")


def _equal(given: object, wanted: object) -> bool:
    try:
        return bool(given == wanted)
    except RecursionError:
        return False


def _right_side(answer: str) -> ast.expr:
    """The output in `assert f(x) == output`, `f(x) == output` or `output`."""
    tree = _parsed(answer)
    if isinstance(tree, ast.Compare):
        if len(tree.ops) != 1 or not isinstance(tree.ops[0], ast.Eq):
            raise PlainExpressionError("the assertion is no single ==")
        return tree.comparators[0]
    return tree


def _parsed(answer: str) -> ast.expr:
    """The expression that an answer is, or asserts. Raises PlainExpressionError."""
    try:
        body = ast.parse(answer.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise PlainExpressionError(f"no Python expression: {type(error).__name__}") from None
    if len(body) == 1 and isinstance(body[0], ast.Assert):
        return body[0].test
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        return body[0].value
    raise PlainExpressionError("no single expression or assertion")


def _input(task: LiteralTask, answer: str, bench: Bench) -> Judgement:
    tree = _parsed(answer)
    if isinstance(tree, ast.Compare):
        tree = tree.left
    call = call_of(tree, "f", variables_of(task.code))
    # The call is Python that we wrote from what we read, so the answer's own text is never run.
    program = python_program(f"{task.code}\n\ndef answer_of_f():\n    return {call}\n")
    outcome, results = bench.sandbox.call(program, "answer_of_f", [()], Limits(cpu_seconds=SECONDS))
    result = results[-1]
    if result.verdict is not Verdict.OK:
        failure = Failure(test=0, given=call, expected=task.expected, message=result.error)
        judged = Judgement(grade=failing_grade(result, SECONDS), num_tests=1, failure=failure)
    elif _equal(result.value, value_of(ast.parse(task.expected, mode="eval").body)):
        judged = _right()
    else:
        failure = Failure(test=0, given=call, expected=task.expected, got=shown(result.value))
        judged = Judgement(grade=Grade.WRONG_ANSWER, num_tests=1, failure=failure)
    return _measured(judged, outcome)


def _measured(judged: Judgement, outcome: Outcome) -> Judgement:
    return replace(
        judged,
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )


def official_answer(task: LiteralTask, text: str) -> str:
    """What the repository's scripts take out of a generation, which ends where [/ANSWER] begins."""
    text = text.partition("[/ANSWER]")[0]
    if "[ANSWER]" in text:
        text = text.split("[ANSWER]")[1].strip()
    if "==" in text:
        text = text.split("==")[1 if task.predict == "output" else 0].strip()
    if task.predict == "input" and "assert" in text:
        text = text.split("assert")[1].strip()
    return text.strip()


def _officially(task: LiteralTask, text: str, bench: Bench) -> Judgement:
    answer = official_answer(task, text)
    if task.predict == "input" and "f(" not in answer:
        return _wrong(task, answer, "the answer does not call f")
    if task.predict == "output" and f"f({task.given})" in answer:
        return _wrong(task, answer, "the answer repeats the call")
    source = f"{task.code}\nassert {task.expected} == {answer}\n"
    outcome = bench.sandbox.run(python_program(source), Limits(cpu_seconds=SECONDS))
    if outcome.ok:
        return _measured(_right(), outcome)
    message = outcome.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    is_wrong = outcome.verdict is Verdict.RUNTIME_ERROR and message.startswith("AssertionError")
    grade = Grade.WRONG_ANSWER if is_wrong else failing_grade(outcome, SECONDS)
    failure = Failure(test=0, expected=task.expected, got=answer[:200], message=message[:200])
    return _measured(Judgement(grade=grade, num_tests=1, failure=failure), outcome)


def _right() -> Judgement:
    return Judgement(grade=Grade.PASS, num_passed=1, num_tests=1)


def _wrong(task: LiteralTask, answer: str, message: str) -> Judgement:
    failure = Failure(
        test=0, given=task.given, expected=task.expected, got=answer[:200], message=message
    )
    return Judgement(grade=Grade.WRONG_ANSWER, num_tests=1, failure=failure)
