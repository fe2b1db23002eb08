"""Programs by what they print: real streams, one process a test, up to the first that fails."""

import pytest

from evaluator.grading.bench import Bench
from evaluator.grading.stdio import grade
from evaluator.judgement import Grade
from evaluator.problem import StdioTask

TASK = StdioTask(tests=(("1 2\n", "3\n"), ("5 5\n", "10\n"), ("0 0\n", "0\n")))
ADD = "print(sum(map(int, input().split())))\n"


def test_every_test_is_a_run_of_its_own(strict_bench: Bench) -> None:
    source = "import os\n\nassert not os.path.exists('seen')\nopen('seen', 'w').close()\n" + ADD
    found = grade(TASK, source, strict_bench)
    assert (found.grade, found.num_passed, found.num_tests) == (Grade.PASS, 3, 3)


def test_tests_stop_at_the_first_that_fails(strict_bench: Bench) -> None:
    found = grade(TASK, "print([3, 3][int(input()[0]) > 1])\n", strict_bench)
    assert (found.grade, found.num_passed) == (Grade.PARTIAL, 1)
    assert found.failure is not None
    assert (found.failure.test, found.failure.given) == (1, "5 5\n")
    assert (found.failure.expected, found.failure.got) == ("10\n", "3\n")


def test_a_right_line_with_a_wrong_exit_code_is_a_runtime_error(strict_bench: Bench) -> None:
    found = grade(TASK, ADD + "raise ValueError('after all')\n", strict_bench)
    assert found.grade is Grade.RUNTIME_ERROR
    assert found.failure is not None
    assert found.failure.message == "ValueError: after all"


@pytest.mark.parametrize(
    ("rule", "printed", "is_right"),
    [("lines", "0.5\n", False), ("numbers", "0.5\n", True), ("float:1e-6", "0.5000001\n", True),
     ("float:1e-6", "0.50001\n", False), ("exact", " 0.50 \n\n", True), ("tokens", "0.50", True)],
)  # fmt: skip
def test_the_tasks_own_rule_compares(
    rule: str, printed: str, is_right: bool, strict_bench: Bench
) -> None:
    task = StdioTask(tests=(("", "0.50\n"),), compare=rule)
    assert grade(task, f"print({printed!r}, end='')\n", strict_bench).is_right is is_right


def test_other_languages_are_compiled_once_and_run(strict_bench: Bench) -> None:
    source = (
        "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }\n"
    )
    task = StdioTask(tests=TASK.tests, language="cpp")
    found = grade(task, source, strict_bench)
    if found.failure is not None and "not installed" in found.failure.message:
        pytest.skip(found.failure.message)
    assert found.grade is Grade.PASS
    assert grade(task, source + "}", strict_bench).grade is Grade.COMPILE_ERROR


def test_bytes_that_are_no_text_are_wrong_and_no_more(strict_bench: Bench) -> None:
    source = "import os\nos.write(1, bytes(range(256)))\n"
    assert grade(TASK, source, strict_bench).grade is Grade.WRONG_ANSWER


@pytest.mark.parametrize(
    ("source", "is_right"),
    [
        ("a = 0\ndef f():\n    global a\n    a += 1\nf()\n" + ADD, False),
        ("import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))\n", False),
        ("import sys\nprint(sum(map(int, sys.stdin.read().split())))\n", True),
        ("if __name__ == '__main__':\n    " + ADD, True),
        (ADD + "exit(0)\n", False),
        (ADD + "import sys\nsys.exit(0)\n", True),
    ],
)
def test_official_rules_have_livecodebenchs_quirks_and_strict_ones_do_not(
    source: str, is_right: bool, strict_bench: Bench, official_bench: Bench
) -> None:
    assert grade(TASK, source, official_bench).is_right is is_right
    assert grade(TASK, source, strict_bench).is_right
