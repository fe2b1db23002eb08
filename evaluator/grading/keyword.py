"""Grades an answer that has to hold words: KeywordTask, such as what a needle in a haystack said.

Both rule sets: every word is there, as a word of its own, whatever its case. An answer so long that
it may be a copy of what was asked does not count.
"""

import re

from evaluator.grading.bench import Bench
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.problem import KeywordTask

MOST_CHARACTERS = 4000
"""A thousand tokens: an answer takes twenty, a copied haystack thousands."""
_SHOWN = 200


def grade(task: KeywordTask, code: str, bench: Bench) -> Judgement:
    """Grade a text."""
    missing = [
        word
        for word in task.keywords
        if not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", code, re.IGNORECASE)
    ]
    message = ""
    if len(code) > MOST_CHARACTERS:
        message = f"{len(code)} characters: an answer has at most {MOST_CHARACTERS}, else it copies"
    num_passed = len(task.keywords) - len(missing)
    if not missing and not message:
        return Judgement(grade=Grade.PASS, num_passed=num_passed, num_tests=len(task.keywords))
    failure = Failure(expected=", ".join(task.keywords), got=code[:_SHOWN], message=message)
    is_partial = bool(missing) and num_passed > 0
    return Judgement(
        grade=Grade.PARTIAL if is_partial else Grade.WRONG_ANSWER,
        num_passed=num_passed,
        num_tests=len(task.keywords),
        failure=failure,
    )
