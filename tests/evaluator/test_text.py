"""One line to fill in: equal after stripping, and what each rule set takes of a longer answer."""

from pathlib import Path

import pytest

from evaluator.data import DataFolder
from evaluator.grading.bench import Bench, Rules
from evaluator.grading.text import grade
from evaluator.judgement import Grade
from evaluator.problem import TextTask
from evaluator.prompt import Infill
from evaluator.suites import suite

DATA = Path(__file__).parents[3] / "shared" / "data"


def rated(answer: str, rules: Rules) -> Grade:
    bench = Bench(sandbox=None, rules=rules, cache=Path("/nonexistent"))  # type: ignore[arg-type]
    return grade(TextTask(expected="    return 0;"), answer, bench).grade


@pytest.mark.parametrize("rules", list(Rules))
def test_blanks_around_a_line_do_not_count(rules: Rules) -> None:
    assert rated("\n        return 0;\n", rules) is Grade.PASS
    assert rated("return  0;", rules) is Grade.WRONG_ANSWER
    assert rated("  \n", rules) is Grade.NO_CODE


def test_a_line_too_many_is_wrong_by_strict_rules_only() -> None:
    answer = "return 0;\n    }\n"
    assert rated(answer, Rules.OFFICIAL) is Grade.PASS
    assert rated(answer, Rules.STRICT) is Grade.WRONG_ANSWER


def test_every_gap_of_santacoder_is_asked_as_infill_and_its_line_passes() -> None:
    if not DATA.is_dir():
        pytest.skip(f"the suites' data is not here: {DATA}")
    of = suite("santacoder")
    problems = of.load(DataFolder(DATA))
    assert len({problem.id for problem in problems}) == len(problems) == 4792
    bench = Bench(sandbox=None, rules=Rules.STRICT, cache=DATA)  # type: ignore[arg-type]
    for problem in problems:
        asked = of.prompt(problem)
        assert isinstance(asked, Infill)
        assert asked.prefix == problem.statement
        assert isinstance(problem.task, TextTask)
        assert grade(problem.task, f"{problem.reference}\n", bench).is_right
