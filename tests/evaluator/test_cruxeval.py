"""CRUXEval: literals are read, not run; an input's value is compared outside of the program."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.data import DataFolder
from evaluator.extract import extracted
from evaluator.grading.bench import Bench, Rules
from evaluator.grading.literal import grade, marked_answer, official_answer
from evaluator.judgement import Grade
from evaluator.problem import LiteralTask
from evaluator.prompt import Chat, Text
from evaluator.suites import suite
from sandbox.sandbox import Sandbox

DATA = Path(__file__).parents[3] / "shared" / "data"
CODE = "def f(xs, n):\n    return [x * n for x in xs]"
OUTPUT = LiteralTask(code=CODE, given="[1, 2], 3", expected="[3, 6]", predict="output")
INPUT = LiteralTask(code=CODE, given="[1, 2], 3", expected="[3, 6]", predict="input")
NUMBER = LiteralTask(code="def f(x):\n    return 1", given="0", expected="1", predict="output")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


@pytest.fixture
def strict(sandbox: Sandbox, tmp_path: Path) -> Bench:
    return Bench(sandbox=sandbox, rules=Rules.STRICT, cache=tmp_path)


@pytest.fixture
def official(sandbox: Sandbox, tmp_path: Path) -> Bench:
    return Bench(sandbox=sandbox, rules=Rules.OFFICIAL, cache=tmp_path)


@pytest.mark.parametrize(
    "answer",
    [
        "[ANSWER]\nassert f([1, 2], 3) == [3, 6]\n[/ANSWER]",
        "[ANSWER]assert f([1, 2], 3) == [3,6]",
        "Thinking… [ANSWER]f([1, 2], 3) == [3, 6][/ANSWER] done",
        "[ANSWER][3, 6][/ANSWER]",
        "[ANSWER]\n```python\nassert f([1, 2], 3) == [3, 6]\n```\n[/ANSWER]",
        "```python\nassert f([1, 2], 3) == [3, 6]\n```",
        "It multiplies.\n[3, 6]",
        "[ANSWER] [0] [/ANSWER] no: [ANSWER] [3, 6] [/ANSWER]",
    ],
)
def test_output_is_found_in_its_marks_its_fence_or_the_last_line(
    answer: str, strict: Bench
) -> None:
    assert grade(OUTPUT, answer, strict).grade is Grade.PASS


@pytest.mark.parametrize(
    "answer",
    [
        "f([1, 2], 3)",
        "[x * 3 for x in [1, 2]]",
        "[1 + 2, 6]",
        "type('A', (), {'__eq__': lambda *_: True})()",
        "__import__('os').abort()",
        "[3, 6] or True",
        "(3, 6)",
        "[3, 6] == [3, 6]",
        "[3, 6",
        "[" * 5000,
        "-" * 15_000 + "1",
        "9" * 100_000,
    ],
)
def test_output_that_is_no_equal_literal_is_wrong_and_not_run(answer: str, strict: Bench) -> None:
    text = f"[ANSWER]\nassert f([1, 2], 3) == {answer}\n[/ANSWER]"
    assert grade(OUTPUT, text, strict).grade is Grade.WRONG_ANSWER


def test_equality_of_outputs_is_pythons(strict: Bench) -> None:
    for literal in ("1", "1.0", "True"):
        assert grade(NUMBER, f"[ANSWER]{literal}[/ANSWER]", strict).is_right


@pytest.mark.parametrize(
    "call",
    ["f([1, 2], 3)", "f([3, 6], 1)", "f(n=3, xs=(1, 2))", "f(range(1, 3), 3)",
     "f(*[[1, 2], 3])", "f(list('ab').index('b') and [1, 2], 3)", "f(sorted([2, 1]), int('3'))"],
)  # fmt: skip
def test_any_input_that_gives_the_output_is_right(
    call: str, strict: Bench, official: Bench
) -> None:
    text = f"[ANSWER]\nassert {call} == [3, 6]\n[/ANSWER]"
    assert grade(INPUT, text, strict).is_right
    assert grade(INPUT, text, official).is_right


@pytest.mark.parametrize(
    "call",
    [
        "f([1], 3)",
        "g([1, 2], 3)",
        "[3, 6]",
        "f(globals().update(f=lambda *_: [3, 6]) or [1], 1)",
        "f((lambda: __import__('sys'))(), 1)",
        "f(type('A', (list,), {'__eq__': lambda *_: True})(), 3)",
        "f([].__class__, 1)",
        "f(x := [1, 2], 3)",
        "f([1, 2], 3) if True else 0",
    ],
)
def test_input_that_is_more_than_data_or_wrong_does_not_pass(call: str, strict: Bench) -> None:
    assert not grade(INPUT, f"[ANSWER]assert {call} == [3, 6][/ANSWER]", strict).is_right


def test_input_on_which_f_fails_or_loops_is_told_apart(strict: Bench) -> None:
    code = "def f(n):\n    while n:\n        n += 1\n    return 1 // n"
    task = LiteralTask(code=code, given="", expected="1", predict="input")
    assert grade(task, "[ANSWER]assert f(0) == 1[/ANSWER]", strict).grade is Grade.RUNTIME_ERROR
    looping = grade(task, "[ANSWER]assert f(1) == 1[/ANSWER]", strict).grade
    assert looping in (Grade.CPU_TIME_OUT, Grade.WALL_TIME_OUT)  # by how busy the machine is


def test_official_rules_accept_an_object_that_is_equal_to_everything_and_strict_rules_do_not(
    strict: Bench, official: Bench
) -> None:
    text = "[ANSWER]type('A', (), {'__eq__': lambda *_: True})()[/ANSWER]"
    assert grade(OUTPUT, text, official).is_right
    assert not grade(OUTPUT, text, strict).is_right


def test_official_rules_do_not_run_a_repeated_call_or_an_input_without_one(official: Bench) -> None:
    assert grade(OUTPUT, "[ANSWER]f([1, 2], 3)[/ANSWER]", official).grade is Grade.WRONG_ANSWER
    assert grade(INPUT, "[ANSWER][3, 6][/ANSWER]", official).grade is Grade.WRONG_ANSWER


def test_official_answer_is_cut_as_the_repository_cuts_it() -> None:
    assert official_answer(OUTPUT, "x [ANSWER]assert f(1) == 2[/ANSWER] y") == "2"
    assert official_answer(INPUT, "assert f(1) == 2") == "f(1)"
    assert official_answer(OUTPUT, "[ANSWER]a == 'b == c'") == "'b"


def test_answer_without_anything_has_nothing_to_grade(strict: Bench) -> None:
    assert marked_answer(" \n ") is None
    assert grade(OUTPUT, "[ANSWER] [/ANSWER]\n \n", strict).grade is not Grade.PASS


@pytest.mark.parametrize("name", ["cruxeval-o", "cruxeval-i", "cruxeval-o-cot", "cruxeval-i-cot"])
def test_the_datas_own_answers_pass_by_both_rules(
    name: str, strict: Bench, official: Bench
) -> None:
    if not DATA.is_dir():
        pytest.skip(f"the suites' data is not here: {DATA}")
    of = suite(name)
    problems = of.load(DataFolder(DATA))
    assert len(problems) == 800
    for problem in [*problems[:15], problems[258], problems[344], problems[364]]:
        assert isinstance(problem.task, LiteralTask)
        for bench, rule in ((strict, of.extraction), (official, of.official_extraction)):
            code = extracted(rule, f"<think>f</think>{problem.reference}", problem)
            assert grade(problem.task, code or "", bench).is_right, problem.id


def test_prompts_do_not_hold_the_answer(strict: Bench) -> None:
    if not DATA.is_dir():
        pytest.skip(f"the suites' data is not here: {DATA}")
    for name in ("cruxeval-o-cot", "cruxeval-i"):
        of = suite(name)
        problem = of.load(DataFolder(DATA))[0]
        asked = of.prompt(problem)
        assert isinstance(asked, Chat)
        assert isinstance(problem.task, LiteralTask)
        hidden = problem.task.expected if name == "cruxeval-o-cot" else problem.task.given
        assert hidden not in asked.messages[0].content
        assert of.base_prompt is not None
        begun = of.base_prompt(problem)
        assert isinstance(begun, Text)
        assert begun.stop == ("[/ANSWER]",)
