"""Grades a text that has to be the expected one: TextTask, such as one line to fill in.

Both rule sets: equal after stripping both. Official infilling harnesses cut an answer at the end of
its first line, because that is all they ask for; strict rules take the whole answer.
"""

from evaluator.grading.bench import Bench, Rules
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import TextTask

_SHOWN = 200


def grade(task: TextTask, code: str, bench: Bench) -> Judgement:
    """Grade a text."""
    given, expected = code.strip(), task.expected.strip()
    if bench.rules is Rules.OFFICIAL and "\n" not in expected:
        given = given.partition("\n")[0].strip()
    if given == expected:
        return Judgement(grade=Grade.PASS, num_passed=1, num_tests=1)
    if not given:
        return Judgement(grade=Grade.NO_CODE, num_tests=1)
    failure = Failure(test=0, expected=expected[:_SHOWN], got=given[:_SHOWN])
    return Judgement(grade=Grade.WRONG_ANSWER, num_tests=1, failure=failure)
