"""Needles: where they stand, that nothing else tells them, and what counts as found."""

from pathlib import Path

import pytest

from evaluator.data import DataFolder
from evaluator.grading.bench import Bench, Rules
from evaluator.grading.keyword import MOST_CHARACTERS, grade
from evaluator.judgement import Grade
from evaluator.problem import KeywordTask
from evaluator.prompt import Chat
from evaluator.suites import suite
from evaluator.suites.needle import ANSWER_TOKENS, DEPTHS_PERCENT, haystack
from evaluator.suites.needle_text import CHARACTERS_A_TOKEN

NOWHERE = DataFolder(Path("/nonexistent"))


def rated(answer: str, *words: str) -> Grade:
    bench = Bench(sandbox=None, rules=Rules.STRICT, cache=Path("/nonexistent"))  # type: ignore[arg-type]
    return grade(KeywordTask(keywords=words), answer, bench).grade


@pytest.mark.parametrize("name", ["needle-8k", "needle-32k"])
def test_needle_stands_at_its_depth_between_sentences_and_occurs_once(name: str) -> None:
    problems = suite(name).load(NOWHERE)
    assert len({problem.id for problem in problems}) == len(problems)
    for problem in problems:
        assert isinstance(problem.task, KeywordTask)
        text = problem.statement.rpartition("\n\n")[0]
        (number,) = problem.task.keywords
        assert text.count(number) == 1
        start = text.index("The special number")
        assert start == 0 or text[:start].rstrip().endswith(".")
        share = 100 * start / len(text)
        length = problem.notes["length_tokens"]
        assert abs(share - problem.notes["depth_percent"]) < 100 * 250 / (length * 3), problem.id


def test_prompt_fills_its_length_and_keeps_room_for_the_answer() -> None:
    for problem in suite("needle-32k").load(NOWHERE):
        asked = suite("needle-32k").prompt(problem)
        assert isinstance(asked, Chat)
        length = problem.notes["length_tokens"]
        tokens = len(asked.messages[0].content) / CHARACTERS_A_TOKEN
        assert tokens + ANSWER_TOKENS <= length
        assert tokens > length - ANSWER_TOKENS - 200


def test_lengths_go_as_far_as_the_suites_name_says() -> None:
    for name, most in (("needle-8k", 8192), ("needle-32k", 32768), ("needle-128k", 131072)):
        lengths = {problem.notes["length_tokens"] for problem in suite(name).load(NOWHERE)}
        assert (min(lengths), max(lengths)) == (1024, most)


def test_text_repeats_for_a_seed_and_differs_for_another() -> None:
    first = haystack(1, 50_000, "Needle.", 50)
    assert first == haystack(1, 50_000, "Needle.", 50)
    assert first != haystack(2, 50_000, "Needle.", 50)
    lines = first.split(". ")
    assert len(set(lines)) > 0.98 * len(lines)


def test_every_depth_is_asked_at_every_length() -> None:
    cells = {
        (problem.notes["length_tokens"], problem.notes["depth_percent"])
        for problem in suite("needle").load(NOWHERE)
    }
    assert len(cells) == 8 * len(DEPTHS_PERCENT)


def test_answer_that_names_the_number_is_right_and_a_copy_of_the_text_is_not() -> None:
    assert rated("It is 461856.", "461856") is Grade.PASS
    assert rated("It is 4618567.", "461856") is Grade.WRONG_ANSWER
    assert rated("", "461856") is Grade.WRONG_ANSWER
    assert rated("461856 " + "x " * MOST_CHARACTERS, "461856") is Grade.WRONG_ANSWER
    assert rated("Ham and eggs", "ham", "spam") is Grade.PARTIAL
    assert rated("Ham and SPAM", "ham", "spam") is Grade.PASS
