"""Functions by their values: base and plus, tolerances, special comparisons, and times."""

from typing import Any

import pytest

from evaluator.grading.bench import Bench
from evaluator.grading.function import grade, limits_of
from evaluator.judgement import Grade
from evaluator.problem import FunctionTask
from evaluator.reference import Expected, expected_values

REFERENCE = "def f(x):\n    return abs(x)\n"
TASK = FunctionTask(
    entry_point="f", reference=REFERENCE, base_inputs=((1,), (2,)), plus_inputs=((-3,), (4,))
)


def task_of(reference: str, *inputs: tuple[Any, ...], **more: Any) -> FunctionTask:
    return FunctionTask(entry_point="f", reference=reference, base_inputs=inputs, **more)


def test_base_counts_apart_and_plus_only_with_it(strict_bench: Bench) -> None:
    right = grade(TASK, REFERENCE, strict_bench)
    assert right.scores == {"base": True, "plus": True}
    assert (right.num_passed, right.num_tests) == (4, 4)
    base_only = grade(TASK, "def f(x):\n    return x\n", strict_bench)
    assert base_only.scores == {"base": True, "plus": False}
    assert (base_only.grade, base_only.num_passed) == (Grade.PARTIAL, 2)
    plus_only = grade(TASK, "def f(x):\n    return x if x > 2 else -x\n", strict_bench)
    assert plus_only.scores == {"base": False, "plus": False}
    assert plus_only.grade is Grade.WRONG_ANSWER


def test_a_failure_shows_what_was_given_wanted_and_got(strict_bench: Bench) -> None:
    failure = grade(TASK, "def f(x):\n    return x\n", strict_bench).failure
    assert failure is not None
    assert (failure.test, failure.given, failure.expected, failure.got) == (0, "(-3,)", "3", "-3")
    failure = grade(TASK, "def f(x):\n    raise KeyError('no')\n", strict_bench).failure
    assert failure is not None
    assert failure.message == "KeyError: 'no'"


@pytest.mark.parametrize(
    ("tolerance", "got", "is_right"),
    [
        (0.0, "1.0 + 9e-7", True),
        (0.0, "1.0 + 2e-6", False),
        (0.0, "1.0 - 9e-7", True),
        (1e-2, "1.009", True),
        (1e-2, "1.02", False),
        (1e-2, "1", True),
        (1e-2, "float('nan')", False),
        (1e-2, "float('inf')", False),
        (1e-2, "'1.0'", False),
        (1e-2, "[1.0]", False),
    ],
)
def test_floats_are_right_within_their_tolerance(
    tolerance: float, got: str, is_right: bool, strict_bench: Bench
) -> None:
    task = task_of("def f():\n    return 1.0\n", (), tolerance=tolerance)
    assert grade(task, f"def f():\n    return {got}\n", strict_bench).is_right is is_right


ORACLE_CASES = [
    ("same_set", "(1, 2)", "[2, 1, 1]", True),
    ("same_set", "(1, 2)", "{1, 2}", True),
    ("same_set", "(1, 2)", "[1, 2, 3]", False),
    ("same_set", "(1, 2)", "[1]", False),
    ("same_set", "(1, 2)", "[[1], [2]]", False),
    ("same_set", "(1, 2)", "None", False),
    ("not_none", "__import__('re').search('a', 'a')", "True", True),
    ("not_none", "__import__('re').search('a', 'a')", "'a'", True),
    ("not_none", "__import__('re').search('a', 'a')", "None", False),
    ("not_none", "__import__('re').search('a', 'a')", "False", False),
    ("not_none", "None", "False", True),
    ("not_none", "None", "0", False),
    ("anything", "True", "True", True),
    ("anything", "True", "False", False),
    ("or_zero", "7", "0", False),
    ("or_zero", "7", "7", True),
    ("surface_area", "33", "33", True),
    ("surface_area", "33", "36", False),
    ("digit_distance", "1", "1", True),
]


@pytest.mark.parametrize(("oracle", "expected", "got", "is_right"), ORACLE_CASES)
def test_special_comparisons_take_only_what_is_right(
    oracle: str, expected: str, got: str, is_right: bool, strict_bench: Bench
) -> None:
    task = task_of(f"def f(a, b):\n    return {expected}\n", (3, 4), oracle=oracle)
    source = f"def f(a, b):\n    return {got}\n"
    assert grade(task, source, strict_bench).is_right is is_right


@pytest.mark.parametrize(
    ("oracle", "arguments", "expected", "other"),
    [
        ("surface_area", (3, 4), 33, 35),  # 9 + 6 * sqrt(1.5**2 + 4**2) = 34.6
        ("digit_distance", (1000000, 999999), 53, 55),  # 1 and 0999999: 1 + 6 * 9
    ],
)
def test_other_readings_are_worked_out(
    oracle: str, arguments: tuple[int, ...], expected: int, other: int, strict_bench: Bench
) -> None:
    task = task_of(f"def f(a, b):\n    return {expected}\n", arguments, oracle=oracle)
    for number in (expected, other, expected + 1, other + 1):
        found = grade(task, f"def f(a, b):\n    return {number}\n", strict_bench)
        assert found.is_right is (number in (expected, other)), number


def test_zero_is_the_sum_of_no_divisors_and_of_no_others(strict_bench: Bench) -> None:
    reference = "def f(n):\n    return 1 + sum(d for d in range(2, n) if n % d == 0)\n"
    task = task_of(reference, (1,), (8,), oracle="or_zero")
    assert grade(task, "def f(n):\n    return {1: 0, 8: 7}[n]\n", strict_bench).is_right
    assert not grade(task, "def f(n):\n    return 0\n", strict_bench).is_right


def test_any_root_of_the_polynomial_is_right(strict_bench: Bench) -> None:
    reference = "def f(xs):\n    return 1.0\n"
    task = task_of(reference, ([2, -3, 1],), tolerance=1e-4, oracle="root")
    for root, is_right in (("2", True), ("1.0", True), ("1.5", False), ("10**5000", False),
                           ("float('nan')", False), ("float('inf')", False), ("None", False)):  # fmt: skip
        found = grade(task, f"def f(xs):\n    return {root}\n", strict_bench)
        assert found.is_right is is_right, root


def test_the_answer_of_an_object_need_not_be_one(strict_bench: Bench) -> None:
    task = task_of("def f():\n    return object()\n", ())
    assert not grade(task, "def f():\n    return object()\n", strict_bench).is_right


def test_arguments_that_a_program_changes_are_its_own(strict_bench: Bench) -> None:
    task = task_of("def f(xs):\n    return len(xs)\n", ([1, 2],), ([1, 2],))
    shared = FunctionTask(entry_point="f", reference=task.reference,
                          base_inputs=(task.base_inputs[0], task.base_inputs[0]))  # fmt: skip
    source = "def f(xs):\n    n = len(xs)\n    xs.clear()\n    return n\n"
    assert grade(task, source, strict_bench).is_right
    assert grade(shared, source, strict_bench).is_right


def test_expected_values_are_made_once_and_kept(strict_bench: Bench) -> None:
    counted = "import time\n\ndef f(x):\n    return time.time_ns()\n"
    first = expected_values(strict_bench, counted, "f", [(1,), (2,)])
    again = expected_values(strict_bench, counted, "f", [(1,), (2,)])
    assert first == again
    assert first != expected_values(strict_bench, counted, "f", [(1,), (3,)])


def test_limits_follow_the_references_time() -> None:
    quick = Expected(encoded=(b"T",) * 2, seconds=(0.01, 0.02))
    slow = Expected(encoded=(b"T",) * 2, seconds=(5.0, 2.0))
    many = Expected(encoded=(b"T",) * 1000, seconds=(0.001,) * 1000)
    assert limits_of(quick).cpu_seconds == 4.0 + 4.0 + 1
    assert limits_of(slow).cpu_seconds == 20.0 + 8.0 + 1
    assert limits_of(many).cpu_seconds == 60.0 + 1


def test_official_rules_judge_both_parts_whatever_the_first_came_to(official_bench: Bench) -> None:
    found = grade(TASK, "def f(x):\n    return x if x > 2 else 3\n", official_bench)
    assert found.scores == {"base": False, "plus": True}
    assert found.grade is Grade.WRONG_ANSWER
