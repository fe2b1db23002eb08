"""Mathematical answers: the harnesses' verdicts case by case, ours beside them, and no comparison that hangs."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.data import DataFolder
from evaluator.grading.bench import Bench, Rules
from evaluator.grading.boxed import last_boxed
from evaluator.grading.latex_text import latex_text
from evaluator.grading.math_pool import MathPool
from evaluator.grading.mathematics import grade, integer_of, verdicts
from evaluator.journal import Sample
from evaluator.judge import judge_answer
from evaluator.judgement import Grade, Judgement
from evaluator.problem import MathTask, Problem
from evaluator.suites import suite
from sandbox.sandbox import Sandbox

SHARED = Path(__file__).parents[3] / "shared"
PARITY = SHARED / "parity" / "math_answers.jsonl.gz"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


@pytest.fixture
def benches(sandbox: Sandbox, tmp_path: Path) -> dict[Rules, Bench]:
    return {rules: Bench(sandbox=sandbox, rules=rules, cache=tmp_path) for rules in Rules}


def aime_grade(answer: str, bench: Bench, expected: str = "204") -> Grade:
    return grade(MathTask(expected=expected, integer=True), answer, bench).grade


def math_grade(box: str, expected: str, bench: Bench) -> Judgement:
    return grade(MathTask(expected=expected), f"So it is \\boxed{{{box}}}.", bench)


def test_every_parity_case_has_the_harnesses_verdicts() -> None:
    if not PARITY.is_file():
        pytest.skip(f"the harnesses' verdicts are not here: {PARITY}")
    for row in map(json.loads, gzip.decompress(PARITY.read_bytes()).splitlines()):
        found = verdicts(row["answer"], row["truth"])
        assert found["rllm_deepcoder"] is row["rllm_deepcoder"], row["id"]
        assert found["math_verify"] is row["math_verify"], row["id"]


@pytest.mark.parametrize(
    ("box", "truth", "is_right"),
    [
        ("\\dfrac12", "\\frac{1}{2}", True),
        ("1/2", "\\frac12", True),
        ("2/4", "\\frac12", False),
        ("k = 7", "7", True),
        ("72^\\circ", "72", True),
        ("10,000", "10000", True),
        ("7 \\frac{3}{4}", "7\\frac34", True),
        ("(2,\\infty)", "(2, \\infty)", True),
        ("[2,3)", "[2,3]", False),
        ("2\\sqrt{3}", "\\sqrt{12}", True),
        ("2^{10}", "1024", False),
        ("\\text{east}", "East", True),
        ("3 \\text{ cm} \\text{ x}", "3", False),
        ("52_8", "52_8", True),
        ("x+y+z-z", "x+y", False),
        ("__import__('os').abort()", "5", False),
    ],
)
def test_rllm_takes_what_its_two_graders_take(box: str, truth: str, is_right: bool) -> None:
    found = verdicts(f"<think>hm</think>It is \\boxed{{{box}}}", truth)
    assert found["rllm_deepcoder"] is is_right


def test_rllm_gives_nothing_without_a_closing_think_tag_and_reads_only_up_to_the_next() -> None:
    assert not verdicts("\\boxed{5}", "5")["rllm_deepcoder"]
    assert not verdicts("</think>hm</think>\\boxed{5}", "5")["rllm_deepcoder"]
    assert verdicts("</think>\\boxed{4} no, \\boxed{5}", "5")["rllm_deepcoder"]


@pytest.mark.parametrize(
    "box",
    ["204", "0204", "204.0", "204.", "+204", "$204$", "n = 204", "204 \\text{ minutes}",
     "\\text{204}", "204^\\circ", "\\mathbf{204}", "204 minutes"],
)  # fmt: skip
def test_integers_of_any_usual_form_are_read(box: str, benches: dict[Rules, Bench]) -> None:
    assert aime_grade(f"\\boxed{{{box}}}", benches[Rules.STRICT]) is Grade.PASS


@pytest.mark.parametrize(
    "box", ["205", "204.5", "200+4", "204, 205", "204x", "2.04", "\\frac{408}{2}", "", "--204"]
)
def test_other_boxes_are_no_right_integers(box: str, benches: dict[Rules, Bench]) -> None:
    assert aime_grade(f"\\boxed{{{box}}}", benches[Rules.STRICT]) is Grade.WRONG_ANSWER


def test_last_box_counts_and_an_answer_without_one_has_nothing_to_grade(
    benches: dict[Rules, Bench],
) -> None:
    strict = benches[Rules.STRICT]
    assert aime_grade("\\boxed{204} or \\boxed{7}", strict) is Grade.WRONG_ANSWER
    assert aime_grade("\\boxed{7} or rather \\boxed{204}", strict) is Grade.PASS
    assert aime_grade("It is 204.", strict) is Grade.NO_CODE
    assert aime_grade("\\boxed{204", strict) is Grade.NO_CODE
    assert integer_of("9" * 5000) is None


def test_of_two_boxes_math_verify_reads_another_than_strict_rules_do(
    benches: dict[Rules, Bench],
) -> None:
    task, answer = MathTask(expected="5"), "First \\boxed{4}, but then \\boxed{5}."
    assert grade(task, answer, benches[Rules.STRICT]).is_right
    assert not grade(task, "\\boxed{5}, no: \\boxed{4}", benches[Rules.STRICT]).is_right


@pytest.mark.parametrize(
    ("box", "expected", "is_right"),
    [
        ("\\frac{14}{3}", "\\dfrac{14}{3}", True),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3, \\pi/2)", True),
        ("\\{2,1\\}", "\\{1,2\\}", True),
        ("x \\in [-2,7]", "[-2,7]", True),
        ("(-2,7)", "[-2,7]", False),
        ("1, 2, 3", "2", False),
        ("\\text{evelyn}", "\\text{Evelyn}", True),
    ],
)
def test_expressions_are_compared_as_mathematics(
    box: str, expected: str, is_right: bool, benches: dict[Rules, Bench]
) -> None:
    assert math_grade(box, expected, benches[Rules.STRICT]).is_right is is_right


def test_comparison_that_does_not_end_is_not_equal_and_the_next_one_is_made() -> None:
    pool = MathPool(1, cpu_seconds=1)
    found = pool.compare("math_verify", "\\boxed{9^{9^{9^{9}}}}", "5")
    assert (found.is_equal, "CPU-seconds" in found.reason or "memory" in found.reason) == (
        False,
        True,
    )
    assert pool.compare("math_verify", "\\boxed{5}", "5").is_equal
    pool.close()


def test_deep_nesting_and_long_answers_are_wrong_and_harmless(benches: dict[Rules, Bench]) -> None:
    strict = benches[Rules.STRICT]
    deep = "(" * 900 + "1" + ")" * 900
    assert math_grade(deep, "2", strict).grade is Grade.WRONG_ANSWER
    long = math_grade("1+" * 5_000_000 + "1", "2", strict)
    assert long.grade is Grade.WRONG_ANSWER
    assert long.failure is not None
    assert "characters" in long.failure.message
    assert len(long.failure.got) <= 200


def test_worker_that_was_killed_is_our_failure_and_no_verdict() -> None:
    pool = MathPool(1)
    pool.compare("math_verify", "\\boxed{5}", "5")
    (worker,) = pool._idle
    worker.kill()
    worker.wait()
    with pytest.raises(OSError, match="ended with -9"):
        pool.compare("math_verify", "\\boxed{5}", "5")
    assert pool.compare("math_verify", "\\boxed{5}", "5").is_equal
    pool.close()


def test_reasoning_sent_apart_is_put_back_for_official_rules_only(
    benches: dict[Rules, Bench],
) -> None:
    problem = Problem(id="a", statement="", task=MathTask(expected="5", integer=True))
    aime = suite("aime2024")

    def graded(text: str, reasoning: str, rules: Rules) -> Grade:
        sample = Sample(suite=aime.name, problem="a", index=0, text=text, reasoning=reasoning)
        return judge_answer(aime, problem, sample, benches[rules]).grade

    assert graded("\\boxed{5}", "hm", Rules.OFFICIAL) is Grade.PASS
    assert graded("\\boxed{5}", "", Rules.OFFICIAL) is Grade.WRONG_ANSWER
    assert graded("no idea", "\\boxed{5}", Rules.STRICT) is Grade.NO_CODE
    assert graded("<think>\\boxed{5}</think>no idea", "", Rules.STRICT) is Grade.NO_CODE


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("\\boxed{a{b}c}", "a{b}c"),
        ("\\boxed{\\{1\\}}", "\\{1\\}"),
        ("\\boxed{\\left\\{ x \\right.}", "\\left\\{ x \\right."),
        ("\\boxed {7}", "7"),
        ("\\boxed 7", "7"),
        ("\\boxed{1} \\boxed{2", None),
        ("nothing", None),
    ],
)
def test_box_ends_at_its_own_brace(text: str, box: str | None) -> None:
    assert last_boxed(text) == box


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        ("\\frac{14}{3}", "14/3"),
        ("\\sqrt[3]{2}", "√(2)"),
        ("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "[ 1     2 ;  3     4 ]"),
        ("a}b{c", "abc"),
        ("2\\pi r", "2πr"),
    ],
)
def test_latex_becomes_text(latex: str, text: str) -> None:
    assert latex_text(latex) == text


@pytest.mark.parametrize("name", ["aime2024", "aime2025", "math500"])
def test_every_truth_is_right_when_boxed(name: str, benches: dict[Rules, Bench]) -> None:
    if not (SHARED / "data").is_dir():
        pytest.skip(f"the suites' data is not here: {SHARED / 'data'}")
    problems = suite(name).load(DataFolder(SHARED / "data"))
    assert len({problem.id for problem in problems}) == len(problems) == suite(name).files[0].rows
    for problem in problems[:60]:
        assert isinstance(problem.task, MathTask)
        answer = f"\\boxed{{{problem.task.expected}}}"
        assert grade(problem.task, answer, benches[Rules.STRICT]).is_right, problem.id
