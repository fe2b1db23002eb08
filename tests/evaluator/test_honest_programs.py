"""Right programs pass under strict rules, however unusually they are written."""

import importlib.util
from pathlib import Path

import pytest

from evaluator.grading.bench import Bench
from evaluator.judge import judge_code
from evaluator.judgement import Grade
from evaluator.problem import CallTask, CheckTask, FunctionTask, Problem, StdioTask, Task

HONEST = Path(__file__).parent / "honest"
FUNCTIONS = sorted(HONEST.glob("function_*.py"))
PROGRAMS = sorted(HONEST.glob("stdio_*.py"))
SUMS = "def solve(numbers):\n    return [sum(numbers[:n]) for n in range(1, len(numbers) + 1)]\n"
INPUTS: tuple[list[int], ...] = ([1, 2, 3], [0, 1], [], [5, -5, 7], [10**6] * 20)
TEST = "".join(f"    assert candidate({one}) == {[sum(one[: n + 1]) for n in range(len(one))]}\n"
               for one in INPUTS)  # fmt: skip
TASKS: dict[str, Task] = {
    "function": FunctionTask(
        entry_point="solve",
        reference=SUMS,
        base_inputs=tuple((one,) for one in INPUTS[:2]),
        plus_inputs=tuple((one,) for one in INPUTS[2:]),
    ),
    "check": CheckTask(
        entry_point="solve", test=f"def check(candidate):\n{TEST}", reference=SUMS
    ),
    "call": CallTask(
        function="solve",
        tests=tuple(((one,), [sum(one[: n + 1]) for n in range(len(one))]) for one in INPUTS),
    ),
    "stdio": StdioTask(
        tests=tuple(
            (" ".join(map(str, one)) + "\n", f"{[sum(one[: n + 1]) for n in range(len(one))]}\n")
            for one in INPUTS
            if one
        )
    ),
}  # fmt: skip


def grade_of(kind: str, source: str, bench: Bench) -> Grade:
    found = judge_code(Problem(id=kind, statement="", task=TASKS[kind]), source, bench)
    assert found.is_right or found.failure is not None
    return found.grade


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.stem)
@pytest.mark.parametrize("kind", ["function", "check", "call"])
def test_honest_function_passes(path: Path, kind: str, strict_bench: Bench) -> None:
    source = path.read_text()
    if "numpy" in source and importlib.util.find_spec("numpy") is None:
        pytest.skip("numpy is not installed here")
    assert grade_of(kind, source, strict_bench) is Grade.PASS


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_honest_program_passes(path: Path, strict_bench: Bench) -> None:
    assert grade_of("stdio", path.read_text(), strict_bench) is Grade.PASS


@pytest.mark.parametrize("path", [FUNCTIONS[0], PROGRAMS[0]], ids=lambda path: path.stem)
def test_windows_lines_and_a_byte_order_mark_are_no_fault(path: Path, strict_bench: Bench) -> None:
    source = "\ufeff" + path.read_text().replace("\n", "\r\n").replace("    ", "\t")
    kind = "stdio" if path in PROGRAMS else "function"
    assert grade_of(kind, source, strict_bench) is Grade.PASS


def test_much_output_and_many_results_pass(strict_bench: Bench) -> None:
    lines = "\n".join(map(str, range(200_000))) + "\n"
    printing = Problem(id="p", statement="", task=StdioTask(tests=(("", lines),)))
    source = "print(*range(200_000), sep='\\n')\n"
    assert judge_code(printing, source, strict_bench).is_right
    function = FunctionTask(
        entry_point="f",
        reference="def f(n):\n    return list(range(n))\n",
        base_inputs=((10,), (2_000_000,)),
    )
    returning = Problem(id="p", statement="", task=function)
    source = "def f(n):\n    return [i for i in range(n)]\n"
    assert judge_code(returning, source, strict_bench).is_right


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        ("return {1, 2}", "return {1: 0, 2: 0}.keys()"),
        ("return {1, 2}", "return frozenset([2, 1])"),
        ("return {(1, 2)}", "return {1: 2}.items()"),
        ("return {'a': 2}", "import collections\n    return collections.Counter('aa')"),
        ("return {'a': 1, 'b': 2}", "return {'b': 2, 'a': 1}"),
        ("return 1", "return True"),
        ("return 0.0", "return -0.0"),
        ("return 0.1 + 0.2", "return 0.3"),
        ("return [0.1 + 0.2]", "return [0.3]"),
        ("return 2", "from decimal import Decimal\n    return Decimal('2.00')"),
        ("return 0.5", "from fractions import Fraction\n    return Fraction(1, 2)"),
        ("return 'é\\ud800'", "return chr(233) + chr(0xd800)"),
        ("return b'ab'", "return bytearray(b'ab')"),
        ("return 2**5000", "return 1 << 5000"),
        ("return float('nan')", "return float('nan')"),
        ("return [[[[[1]]]]]", "return eval('[' * 5 + '1' + ']' * 5)"),
        ("return None", "pass"),
    ],
)
def test_what_python_takes_for_equal_passes(
    reference: str, candidate: str, strict_bench: Bench
) -> None:
    task = FunctionTask(
        entry_point="f", reference=f"def f():\n    {reference}\n", base_inputs=((),)
    )
    problem = Problem(id="p", statement="", task=task)
    assert judge_code(problem, f"def f():\n    {candidate}\n", strict_bench).is_right


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        ("return [1, 2]", "return (1, 2)"),
        ("return (1, 2)", "return [1, 2]"),
        ("return [0, 1]", "return range(2)"),
        ("return '1'", "return 1"),
        ("return 'a'", "return b'a'"),
        ("return [1]", "return 1"),
        ("return None", "return 0"),
        ("return 1", "return 1.0000001"),
        ("return 0.3", "return 0.30001"),
        ("return 10**20", "return 10**20 + 1"),
        ("return 10**20", "return float(10**20 + 10**6)"),
        ("return 0.1", "from decimal import Decimal\n    return Decimal('0.1')"),
        ("return {1: 2}", "return {1: 2, 3: None}"),
        ("return [1]", "return (x for x in [1])"),
    ],
)
def test_what_python_takes_for_different_does_not_pass(
    reference: str, candidate: str, strict_bench: Bench
) -> None:
    task = FunctionTask(
        entry_point="f", reference=f"def f():\n    {reference}\n", base_inputs=((),)
    )
    problem = Problem(id="p", statement="", task=task)
    found = judge_code(problem, f"def f():\n    {candidate}\n", strict_bench)
    assert found.grade is Grade.WRONG_ANSWER
