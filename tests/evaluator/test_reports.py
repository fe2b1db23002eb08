"""Every shape of a report: the same numbers, readable by whom it is for, and inert."""

import csv
import io
import json
import pathlib
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from huggingface_hub import ModelCard, ModelCardData
from rich.console import Console

from evaluator.comparison import compare_results
from evaluator.comparison_report import (
    comparison_html,
    comparison_json,
    comparison_markdown,
    print_comparison,
)
from evaluator.errors import NotComparable
from evaluator.export import junit_xml, lm_eval_json, model_card
from evaluator.judgement import Grade
from evaluator.published import PUBLISHED, published
from evaluator.report_csv import report_csv
from evaluator.report_json import report_json
from evaluator.report_markdown import report_markdown
from evaluator.report_table import print_report
from evaluator.results import Results, read_results

WriteRun = Callable[..., pathlib.Path]
PASS, WRONG = Grade.PASS, Grade.WRONG_ANSWER
HOSTILE = "| a | b |\n```\n<script>alert(1)</script>\n````"


@pytest.fixture
def results(write_run: WriteRun) -> Results:
    problems = {f"p{i}": [PASS if i < 3 else WRONG] for i in range(4)}
    suites = {
        "humaneval+": problems,
        "suite-with-a-name-much-longer-than-any-table-likes": problems,
    }
    return read_results(write_run("run", suites, code=HOSTILE))


def test_a_table_is_plain_and_never_wider_than_100_columns(results: Results) -> None:
    out = io.StringIO()
    print_report(results, Console(file=out, width=100))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in out.getvalue()
    assert any("75.0" in line and "30.1 … 95.4" in line for line in lines)


def test_markdown_has_the_scores_and_marks_what_others_published(results: Results) -> None:
    text = report_markdown(results)
    assert "| humaneval+ | pass@1 | 75.0 | 30.1 … 95.4 | 4 × 1 |" in text
    assert "Published by others, not measured here" in text
    assert "DeepCoder-14B-Preview" in text


def test_csv_has_one_row_a_number(results: Results) -> None:
    rows = list(csv.DictReader(io.StringIO(report_csv(results))))
    assert len(rows) == 2
    assert (rows[0]["suite"], float(rows[0]["value"]), rows[0]["recipe"]) == (
        "humaneval+",
        0.75,
        "r1",
    )


def test_a_name_that_is_a_formula_stays_text_in_a_spreadsheet(write_run: WriteRun) -> None:
    run = read_results(write_run("run", {"=HYPERLINK(1)": {"p": [PASS]}}))
    assert next(csv.DictReader(io.StringIO(report_csv(run))))["suite"] == "'=HYPERLINK(1)"


def test_json_has_everything_and_no_nan(results: Results) -> None:
    data = json.loads(report_json(results), parse_constant=pytest.fail)
    suite = data["suites"]["humaneval+"]
    assert suite["scores"][0]["value"] == 0.75
    assert sum(suite["grades"].values()) == suite["num_samples"] == 4
    assert suite["problems"]["p3"] == [0, 1]


def test_an_empty_run_is_reported_without_an_error(write_run: WriteRun) -> None:
    run = read_results(write_run("run", {"s": {}}))
    for make in (report_json, report_csv, report_markdown, lm_eval_json, model_card, junit_xml):
        assert make(run)
    print_report(run, Console(file=io.StringIO()))


def test_a_model_card_has_a_model_index(results: Results) -> None:
    card = ModelCard(f"---\n{model_card(results)}---\n")
    assert isinstance(card.data, ModelCardData)
    rows = card.data.eval_results
    assert rows is not None
    assert (rows[0].dataset_type, rows[0].metric_value) == ("humaneval+", 75.0)
    assert rows[0].metric_args == {"interval": [30.06, 95.44], "num_samples": 1, "recipe": "r1"}


def test_lm_eval_json_has_the_shape_of_its_results(results: Results) -> None:
    data = json.loads(lm_eval_json(results))
    row = data["results"]["humaneval+"]
    assert row["pass@1,strict"] == 0.75
    assert row["pass@1_stderr,strict"] == pytest.approx(0.25)
    assert data["n-samples"]["humaneval+"] == {"original": 4, "effective": 4}
    assert data["versions"]["humaneval+"] == "r1"


def test_junit_has_one_case_a_problem(results: Results) -> None:
    suite = ET.fromstring(junit_xml(results))[0]
    assert (len(suite.findall("testcase")), len(suite.findall("*/failure"))) == (4, 1)


def two(write_run: WriteRun, **facts_b: object) -> tuple[Results, Results]:
    a = {f"p{i}": [PASS if i < 5 else WRONG] for i in range(20)}
    b = {f"p{i}": [PASS if 0 < i < 14 else WRONG] for i in range(20)}
    return (
        read_results(write_run("a", {"s": a}, code="program of A")),
        read_results(write_run("b", {"s": b}, code=HOSTILE, facts=facts_b)),
    )


def test_a_comparison_lists_every_flip_with_both_programs(write_run: WriteRun) -> None:
    found = compare_results(*two(write_run))
    suite = found.suites[0]
    assert suite.paired.difference == pytest.approx(0.4)
    assert [flip.problem for flip in suite.flips] == ["p0", *(f"p{i}" for i in range(5, 14))]
    assert suite.p_adjusted < 0.05
    text = comparison_markdown(found)
    assert text.count("program of A") == 10
    # A fence longer than any run of backticks in the program.
    assert f"`````\n{HOSTILE}\n`````" in text
    assert "AssertionError\ntest 2: [1]" in text
    assert json.loads(comparison_json(found))["suites"]["s"]["verdict"] == "B is better"
    out = io.StringIO()
    print_comparison(found, Console(file=out, width=100))
    assert "lost p0: pass -> wrong answer" in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 100


def test_a_comparison_page_runs_nothing(write_run: WriteRun) -> None:
    text = comparison_html(compare_results(*two(write_run)))
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "script-src &#39;none&#39;" in text


def test_other_recipes_are_not_compared_unless_one_insists(write_run: WriteRun) -> None:
    recipe = {"id": "r2", "parts": {"max_tokens": 512}}
    a, b = two(write_run, recipe=recipe)
    with pytest.raises(NotComparable, match="max_tokens: None and 512"):
        compare_results(a, b)
    found = compare_results(a, b, anyway=True)
    assert "the recipes differ in max_tokens" in comparison_markdown(found)


def test_a_run_without_a_recipe_is_comparable_with_none(write_run: WriteRun) -> None:
    a = read_results(write_run("a", {"s": {"p": [PASS]}}, facts={"recipe": ""}))
    with pytest.raises(NotComparable, match="recipe: None and None"):
        compare_results(a, a)


def test_runs_without_a_common_suite_are_not_compared(write_run: WriteRun) -> None:
    a = read_results(write_run("a", {"s": {"p": [PASS]}}))
    b = read_results(write_run("b", {"t": {"p": [PASS]}}))
    with pytest.raises(NotComparable, match=r"has s and .* has t"):
        compare_results(a, b)


def test_every_published_row_tells_its_recipe_source_and_why_it_is_comparable_or_not() -> None:
    assert all(row.recipe and row.source and row.reason for row in PUBLISHED)
    rows = {(row.model, row.metric): row for row in published("codeforces")}
    assert rows["DeepCoder-14B-Preview", "rating"].value_text == "1936"
    assert not rows["DeepCoder-14B-Preview", "rating"].is_repeatable
    services = [row for row in PUBLISHED if row.model.startswith(("o1", "o3", "GPT"))]
    assert services
    assert not any(row.is_repeatable for row in services)
