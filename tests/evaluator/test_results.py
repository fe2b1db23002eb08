"""A run folder's numbers: what is counted, what is left out, and what is said about it."""

import datetime as dt
import json
import pathlib
from collections.abc import Callable

import pytest

from evaluator.asked import Asked, read_asked, write_asked
from evaluator.breakdown import breakdown, split_by_date
from evaluator.errors import JournalBroken, UsageRefused
from evaluator.journal import Journal, Sample, write_manifest
from evaluator.judgement import Grade, Judgement
from evaluator.results import read_results
from evaluator.suite_results import SuiteResults
from evaluator.usage import quantile, usage
from evaluator.warning import warnings

WriteRun = Callable[..., pathlib.Path]
PASS, WRONG, INFRA = Grade.PASS, Grade.WRONG_ANSWER, Grade.INFRASTRUCTURE


def suite_of(folder: pathlib.Path, rules: str = "strict") -> SuiteResults:
    return read_results(folder, rules).suite("s")


def test_every_class_is_counted_and_they_add_up(write_run: WriteRun) -> None:
    suite = suite_of(write_run("run", {"s": {f"p{grade}": [grade, PASS] for grade in Grade}}))
    assert sum(suite.grades.values()) == suite.num_samples == 24
    assert list(suite.grades) == list(Grade)
    assert suite.grades[PASS] == 13


def test_a_host_failure_is_in_no_score(write_run: WriteRun) -> None:
    suite = suite_of(write_run("run", {"s": {"a": [PASS, INFRA], "b": [WRONG], "c": [INFRA]}}))
    assert suite.headline.value == 0.5
    assert suite.headline.num_problems == 2
    assert suite.infrastructure == 0.5
    assert "2 samples failed on our side" in warnings(suite)[0]


def test_pass_at_k_stops_at_the_fewest_samples_that_a_problem_has(write_run: WriteRun) -> None:
    four, three = [PASS, WRONG, WRONG, WRONG], [PASS, PASS, WRONG]
    suite = suite_of(write_run("run", {"s": {"a": four, "b": three}}))
    found = {score.name: score.value for score in suite.scores}
    assert found == pytest.approx(
        {"pass@1": (1 / 4 + 2 / 3) / 2, "pass@2": (1 / 2 + 1) / 2, "pass^3": 0.0}
    )
    with pytest.raises(UsageRefused, match="pass@4 of 3"):
        suite.score(4)


def write_parts(folder: pathlib.Path, *, manifest: dict[str, object]) -> SuiteResults:
    write_manifest(folder, manifest)
    with Journal(folder) as journal:
        for index, (base, plus) in enumerate([(True, True), (True, False), (False, False)]):
            sample = Sample(suite="s", problem=f"p{index}", index=0)
            journal.write_sample(sample)
            scores = {"base": base, "plus": plus}
            grade = PASS if plus else WRONG
            journal.write_judgement(sample, "strict", Judgement(grade=grade, scores=scores))
    return suite_of(folder)


def test_the_last_part_is_the_headline(tmp_path: pathlib.Path) -> None:
    suite = write_parts(tmp_path / "run", manifest={})
    assert [score.label for score in suite.scores] == ["pass@1 plus", "pass@1 base"]
    assert [score.value for score in suite.scores] == pytest.approx([1 / 3, 2 / 3])


def test_the_first_try_is_pass_at_1_and_the_last_one_counts_apart(tmp_path: pathlib.Path) -> None:
    write_manifest(tmp_path, {"suites": {"s": {"recipe": "r"}}})
    with Journal(tmp_path) as journal:
        for problem, grades in {"a": [WRONG, PASS], "b": [PASS], "c": [WRONG, WRONG]}.items():
            for attempt, grade in enumerate(grades, 1):
                sample = Sample(suite="s", problem=problem, index=0, attempt=attempt)
                journal.write_sample(sample)
                journal.write_judgement(sample, "strict", Judgement(grade=grade))
    suite = suite_of(tmp_path)
    found = {score.name: score.value for score in suite.scores}
    assert found == pytest.approx({"pass@1": 1 / 3, "second try": 2 / 3})
    assert suite.num_samples == sum(suite.grades.values()) == 3


def test_each_rule_set_has_its_own_grades(write_run: WriteRun) -> None:
    folder = write_run("run", {"s": {"a": [PASS]}}, rules="official")
    assert suite_of(folder, "official").headline.value == 1.0
    strict = suite_of(folder)
    assert strict.num_ungraded == 1
    assert "not graded under these rules" in warnings(strict)[0]


def test_maths_is_also_voted_on(tmp_path: pathlib.Path) -> None:
    write_manifest(tmp_path, {"suites": {"s": {}}})
    write_asked(tmp_path, [Asked(suite="s", problem="a", kind="MathTask")])
    with Journal(tmp_path) as journal:
        for index, answer in enumerate(["204", "204", "17"]):
            sample = Sample(suite="s", problem="a", index=index)
            journal.write_sample(sample)
            grade = PASS if answer == "204" else WRONG
            journal.write_judgement(sample, "strict", Judgement(grade=grade, code=answer))
    assert {s.name: s.value for s in suite_of(tmp_path).scores}["maj@3"] == 1.0


def test_a_run_that_stopped_half_way_says_so(write_run: WriteRun) -> None:
    suite = suite_of(write_run("run", {"s": {"a": [PASS]}}, facts={"num_problems": 164}))
    assert suite.num_missing == 163
    assert "163 problems have no sample" in warnings(suite)[0]


def test_cut_answers_without_code_and_without_recipe_are_told(write_run: WriteRun) -> None:
    suite = suite_of(write_run("run", {"s": {"a": [Grade.TRUNCATED], "b": [PASS]}}))
    assert suite.truncation == 0.5
    assert any("50.0 % of the answers were cut" in text for text in warnings(suite))
    bare = suite_of(write_run("bare", {"s": {"a": [Grade.NO_CODE]}}, facts={"recipe": ""}))
    assert any("No answer held any code" in text for text in warnings(bare))
    assert any("no recipe" in text for text in warnings(bare))


def dated(month: int, day: int, problem: str, difficulty: str = "") -> Asked:
    date = dt.date(2024, month, day).isoformat()
    return Asked(suite="s", problem=problem, date=date, difficulty=difficulty, language="python")


def test_problems_after_the_cut_off_are_held_against_those_before(write_run: WriteRun) -> None:
    asked = [dated(8, 1, "a"), dated(8, 2, "b"), dated(9, 1, "c"), dated(9, 2, "d")]
    grades = {"a": [PASS], "b": [PASS], "c": [WRONG], "d": [PASS]}
    suite = suite_of(write_run("run", {"s": grades}, asked=asked))
    assert [(s.name, s.value) for s in breakdown(suite, "month")] == [
        ("2024-08", 1.0),
        ("2024-09", 0.5),
    ]
    assert breakdown(suite, "language") == ()
    split = split_by_date(suite, dt.date(2024, 9, 1))
    assert split is not None
    assert (split.before.value, split.after.value, split.difference) == (1.0, 0.5, -0.5)
    assert split.interval.low <= -0.5 <= split.interval.high
    assert split_by_date(suite, dt.date(2020, 1, 1)) is None


def test_a_harder_mix_after_the_cut_off_is_no_sign_of_contamination(write_run: WriteRun) -> None:
    asked, grades = [], {}
    for month, num_easy in ((8, 8), (9, 2)):
        for i in range(10):
            name, is_easy = f"{month}-{i}", i < num_easy
            asked.append(dated(month, 1 + i, name, "easy" if is_easy else "hard"))
            grades[name] = [PASS if is_easy else WRONG]
    suite = suite_of(write_run("run", {"s": grades}, asked=asked))
    split = split_by_date(suite, dt.date(2024, 9, 1))
    assert split is not None
    assert split.difference == pytest.approx(-0.6)
    assert split.stratified == pytest.approx(0.0)
    assert [s.name for s in breakdown(suite, "difficulty")] == ["easy", "hard"]


def test_usage_is_summed_over_tries(write_run: WriteRun) -> None:
    suite = suite_of(write_run("run", {"s": {"a": [PASS, WRONG], "b": [PASS]}}))
    used = usage(suite.records())
    assert sum(used.completion_tokens) == 40
    assert used.cpu_milliseconds == pytest.approx(4.0)
    assert used.cost is None
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0


def test_a_folder_that_is_no_run_is_named(tmp_path: pathlib.Path, write_run: WriteRun) -> None:
    with pytest.raises(JournalBroken, match=r"manifest\.json is not there"):
        read_results(tmp_path / "nothing")
    broken = write_run("run", {"s": {"a": [PASS]}})
    (broken / "problems.jsonl").write_text('{"suite": "s"}\n')
    with pytest.raises(JournalBroken, match=r"problems\.jsonl, line 1"):
        read_results(broken)


@pytest.mark.parametrize(
    "manifest",
    [
        {"suites": ["s"]},
        {"suites": [{"name": "s", "recipe": {"id": "r", "parts": {"data": "d"}}}]},
        {"suites": {"s": None}, "model": {"name": "m", "weights": "w"}},
        {},
    ],
)
def test_any_optional_key_of_a_manifest_may_lack(
    tmp_path: pathlib.Path, manifest: dict[str, object]
) -> None:
    assert write_parts(tmp_path, manifest=manifest).headline.value == pytest.approx(1 / 3)


def test_what_was_asked_is_read_back(tmp_path: pathlib.Path) -> None:
    row = Asked(suite="s", problem="p/1", prompt="é \ud800 </script>", notes={"depth_percent": 10})
    write_asked(tmp_path, [row])
    found = read_asked(tmp_path)["s", "p/1"]
    assert found.notes == {"depth_percent": 10}
    assert json.loads((tmp_path / "problems.jsonl").read_text())["prompt"] == row.prompt


def test_problems_stand_in_the_manifests_order_and_the_recipe_is_that_of_the_rules(
    write_run: WriteRun,
) -> None:
    recipes = {"strict": {"id": "r-strict"}, "official": {"id": "r-official"}}
    facts = {"problem_ids": ["a", "b"], "recipe": recipes["strict"], "recipes": recipes}
    folder = write_run("run", {"s": {"b": [PASS], "a": [PASS]}}, facts=facts)
    assert [problem.id for problem in suite_of(folder).problems] == ["a", "b"]
    assert suite_of(folder).recipe == "r-strict"
    assert suite_of(folder, "official").recipe == "r-official"
