"""A test's code decides, on values alone: it never shares a process with what it tests."""

import pytest

from evaluator.errors import GraderUnavailable
from evaluator.grading.bench import Bench
from evaluator.grading.check import grade
from evaluator.judgement import Grade
from evaluator.problem import CheckTask

PAIR = "def pair(n):\n    return next([a, n - a] for a in range(n) if a * a >= n)\n"
PAIR_TEST = (
    "def check(candidate):\n    for n in (5, 9, 30):\n        a, b = candidate(n)\n"
    "        assert a + b == n, 'the sum is another'\n"
)


def task(test: str, reference: str, entry_point: str = "pair", **more: object) -> CheckTask:
    return CheckTask(entry_point=entry_point, test=test, reference=reference, **more)  # type: ignore[arg-type]


def test_an_answer_that_differs_from_the_references_is_tested_itself(strict_bench: Bench) -> None:
    found = grade(task(PAIR_TEST, PAIR), "def pair(n):\n    return (0, n)\n", strict_bench)
    assert found.grade is Grade.PASS
    wrong = grade(task(PAIR_TEST, PAIR), "def pair(n):\n    return (0, n + 1)\n", strict_bench)
    assert wrong.grade is Grade.WRONG_ANSWER
    assert wrong.failure is not None
    assert wrong.failure.message == "AssertionError: the sum is another"
    assert (wrong.failure.given, wrong.failure.got) == ("(5,)", "(0, 6)")


def test_results_of_every_plain_type_reach_the_test_as_they_were(strict_bench: Bench) -> None:
    reference = "def f():\n    return None\n"
    test = (
        "from decimal import Decimal\nfrom fractions import Fraction\n\ndef check(g):\n    v = g()\n"
        "    assert v is None or (v[0], v[1]) == (Decimal('0.1'), Fraction(1, 3))\n"
        "    assert v is None or type(v[2]) is set and v[3] == {(1, b'x'): 2j} and v[4] is ...\n"
    )
    source = (
        "from decimal import Decimal\nfrom fractions import Fraction\n\ndef f():\n"
        "    return [Decimal('0.1'), Fraction(1, 3), {1}, {(1, b'x'): 2j}, ...]\n"
    )
    found = grade(task(test, reference, "f"), source, strict_bench)
    assert found.grade is Grade.PASS, found.failure


def test_a_test_may_call_with_what_it_got(strict_bench: Bench) -> None:
    test = "def check(g):\n    assert g(g(g(3))) in (4, 6)\n"
    reference = "def f(n):\n    return n + 1\n"
    assert grade(task(test, reference, "f"), reference, strict_bench).is_right
    by_steps = "def f(n):\n    return {3: 7, 7: 8, 8: 4}.get(n)\n"
    assert grade(task(test, reference, "f"), by_steps, strict_bench).is_right
    other = "def f(n):\n    return {3: 7, 7: 8, 8: 5}.get(n)\n"
    assert not grade(task(test, reference, "f"), other, strict_bench).is_right


def test_a_test_that_asks_for_ever_is_not_passed(strict_bench: Bench) -> None:
    test = "def check(g):\n    n = 3\n    while n > 0:\n        n = g(n)\n"
    reference = "def f(n):\n    return n - 1\n"
    found = grade(task(test, reference, "f"), "def f(n):\n    return n + 1\n", strict_bench)
    assert found.grade is Grade.PARTIAL or found.grade is Grade.WRONG_ANSWER


def test_random_inputs_are_the_same_for_reference_and_candidate(strict_bench: Bench) -> None:
    test = (
        "def check(g):\n    import random\n    for _ in range(20):\n"
        "        n = random.randint(0, 10**9)\n        assert g(n) == n + 1\n"
    )
    reference = "import random\n\ndef f(n):\n    random.random()\n    return n + 1\n"
    assert grade(task(test, reference, "f"), "def f(n):\n    return -~n\n", strict_bench).is_right
    assert not grade(task(test, reference, "f"), "def f(n):\n    return n\n", strict_bench).is_right


def test_a_function_that_changes_its_argument_must_do_as_the_reference(strict_bench: Bench) -> None:
    test = "def check(g):\n    xs = [3, 1]\n    g(xs)\n    assert xs == [1, 3]\n"
    reference = "def f(xs):\n    xs.sort()\n"
    right = "def f(xs):\n    xs[:] = sorted(xs)\n"
    assert grade(task(test, reference, "f"), right, strict_bench).is_right
    wrong = "def f(xs):\n    return sorted(xs)\n"
    assert not grade(task(test, reference, "f"), wrong, strict_bench).is_right


@pytest.mark.parametrize(
    "result",
    ["10**18", "[1] * 10**6", "lambda: 1", "float('nan')", "'x' * (5 << 20)", "...", "{...: ...}"],
)
def test_a_result_that_breaks_the_test_is_wrong_and_scored(
    result: str, strict_bench: Bench
) -> None:
    test = (
        "def check(g):\n    n = g(3)\n    assert n == 4 or [x for x in range(n)] and n[0] < g(n)\n"
        "    assert n == 4\n"
    )
    reference = "def f(n):\n    return n + 1\n"
    short = task(test, reference, "f", seconds=0.2)
    found = grade(short, f"def f(n):\n    return {result}\n", strict_bench)
    assert found.grade is Grade.WRONG_ANSWER


def test_setup_goes_before_the_program_and_future_imports_before_it(strict_bench: Bench) -> None:
    setup = "from typing import List\nimport math\n"
    source = (
        '"""A docstring."""\nfrom __future__ import annotations\n\nclass Solution:\n'
        "    def f(self, xs: List[Later]) -> float:\n        return math.fsum(xs)\n"
    )
    reference = (
        "class Solution:\n    def f(self, xs: List[int]) -> float:\n        return sum(xs)\n"
    )
    test = "def check(candidate):\n    assert candidate(xs=[1, 2]) == 3\n"
    method = task(test, reference, "Solution().f", setup=setup)
    assert grade(method, source, strict_bench).is_right


def test_without_a_reference_only_the_official_rules_grade(
    strict_bench: Bench, official_bench: Bench
) -> None:
    unknown = task("def check(g):\n    assert g(1) == 1\n", "", "f")
    assert grade(unknown, "def f(n):\n    return n\n", official_bench).is_right
    assert not grade(unknown, "def f(n):\n    return 2\n", official_bench).is_right
    with pytest.raises(GraderUnavailable, match="--rules official"):
        grade(unknown, "def f(n):\n    return n\n", strict_bench)


def test_what_ends_the_process_passes_by_neither_rule(
    strict_bench: Bench, official_bench: Bench
) -> None:
    for line in ("raise SystemExit(0)", "import os; os._exit(0)", "exit()", "assert False"):
        for bench in (strict_bench, official_bench):
            source = f"{line}\n\ndef pair(n):\n    return 0, n\n"
            assert not grade(task(PAIR_TEST, PAIR), source, bench).is_right
