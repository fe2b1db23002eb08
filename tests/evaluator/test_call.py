"""Functions graded by their values: what is called is the program's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.grading.bench import Bench, Rules
from evaluator.judge import judge_code
from evaluator.judgement import Grade
from evaluator.problem import CallTask, Problem
from sandbox.sandbox import Sandbox

GCD = Problem(
    id="gcd", statement="", task=CallTask(function="gcd", tests=(((12, 18), 6), ((5, 0), 5)))
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Strict graders over a sandbox of this machine."""
    with Sandbox() as sandbox:
        cache: Path = tmp_path_factory.mktemp("cache")
        yield Bench(sandbox=sandbox, rules=Rules.STRICT, cache=cache)


@pytest.mark.parametrize("code", ["\n", "def lcm(a, b):\n    return a * b\n"])
def test_a_name_that_the_judge_imports_does_not_answer_for_a_program_without_it(
    code: str, bench: Bench
) -> None:
    assert judge_code(GCD, code, bench).grade is Grade.RUNTIME_ERROR


@pytest.mark.parametrize(
    "code",
    [
        "def gcd(a, b):\n    return gcd(b, a % b) if b else a\n",
        "from math import gcd\n",
        "class Solution:\n    def gcd(self, a, b):\n        return gcd(a, b)\n",
    ],
)
def test_a_program_may_use_what_the_judge_imports(code: str, bench: Bench) -> None:
    assert judge_code(GCD, code, bench).is_right
