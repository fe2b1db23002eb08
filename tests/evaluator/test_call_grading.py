"""LeetCode's form: JSON arguments in, a JSON value out, by a method of class Solution or a function."""

from typing import Any

import pytest

from evaluator.grading.bench import Bench
from evaluator.grading.call import grade, is_same
from evaluator.judgement import Grade
from evaluator.problem import CallTask

TASK = CallTask(function="twoSum", tests=((([2, 7], 9), [0, 1]), (([3, 2, 4], 6), [1, 2])))
RIGHT = """class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:
        seen = defaultdict(int)
        for i, n in enumerate(nums):
            if target - n in seen:
                return [seen[target - n], i]
            seen[n] = i
"""
FUNCTION = """def twoSum(nums, target):
    from itertools import combinations
    pairs = combinations(range(len(nums)), 2)
    return next([i, j] for i, j in pairs if nums[i] + nums[j] == target)
"""


@pytest.mark.parametrize(
    "source",
    [
        RIGHT,
        "from __future__ import annotations\n" + RIGHT,
        RIGHT.replace("return [seen", "return (seen").replace("], i]", "], i)"),
        FUNCTION,
        RIGHT + "\n\nif __name__ == '__main__':\n    print(Solution().twoSum(*eval(input())))\n",
    ],
)
def test_right_solutions_pass_in_every_form(source: str, strict_bench: Bench) -> None:
    found = grade(TASK, source, strict_bench)
    assert found.grade is Grade.PASS, found.failure


def test_state_of_one_call_is_not_seen_by_the_next(strict_bench: Bench) -> None:
    source = RIGHT.replace(
        "class Solution:\n", "class Solution:\n    def __init__(self):\n        self.n = 0\n\n"
    )
    source = source.replace(
        "        seen =", "        self.n += 1\n        assert self.n == 1\n        seen ="
    )
    assert grade(TASK, source, strict_bench).is_right


def test_what_the_prelude_imports_answers_for_no_program(strict_bench: Bench) -> None:
    task = CallTask(function="gcd", tests=(((4, 6), 2),))
    assert not grade(task, "\n", strict_bench).is_right
    assert grade(task, "def gcd(a, b):\n    return math.gcd(a, b)\n", strict_bench).is_right


@pytest.mark.parametrize(
    ("expected", "got", "is_right"),
    [
        ([1, 2], (1, 2), True),
        ([[1], []], ((1,), ()), True),
        ([1, 2], [1, 2, 3], False),
        ([1, 2], {1, 2}, False),
        (0.5, 0.500009, True),
        (0.5, 0.5001, False),
        (1.0, 1, True),
        (1, 1.0, True),
        (1, 1.0000001, False),
        (0.5, float("nan"), False),
        (True, 1, True),
        (None, 0, False),
        (None, None, True),
        ("ab", ["a", "b"], False),
        ([], None, False),
        ({"a": [1]}, {"a": [1]}, True),
    ],
)
def test_values_are_compared_as_json_is(expected: Any, got: Any, is_right: bool) -> None:
    assert is_same(expected, got) is is_right


def test_the_first_wrong_test_is_told(strict_bench: Bench) -> None:
    found = grade(TASK, "def twoSum(nums, target):\n    return [0, 1]\n", strict_bench)
    assert (found.grade, found.num_passed, found.num_tests) == (Grade.PARTIAL, 1, 2)
    assert found.failure is not None
    assert (found.failure.test, found.failure.given) == (1, "([3, 2, 4], 6)")


def test_official_rules_are_livecodebenchs(strict_bench: Bench, official_bench: Bench) -> None:
    assert grade(TASK, RIGHT, official_bench).is_right
    # It looks for the words in the text: a comment makes it look for a class that is not there.
    mentioned = "# no class Solution here\ndef twoSum(nums, target):\n    return {9: [0, 1], 6: [1, 2]}[target]\n"
    assert not grade(TASK, mentioned, official_bench).is_right
    assert grade(TASK, mentioned, strict_bench).is_right
