"""A run's results as one HTML file: scores, plots, and every sample down to its first failing test."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from evaluator import shown
from evaluator.breakdown import BY, breakdown, split_by_date
from evaluator.charts import Bar, grade_bars, heat_map, histogram, score_bars
from evaluator.journal import Record
from evaluator.page import page
from evaluator.published import published
from evaluator.results import Results
from evaluator.suite_results import ProblemResult, SuiteResults
from evaluator.usage import quantile, usage
from evaluator.warning import warnings

MOST_TEXT = 24_000
"""Characters of one text in the page; what is longer keeps its head and its tail."""
MOST_PAGE = 48_000_000
"""Characters of all samples in the page: browsers open that in seconds. Texts are cut to fit."""

SCRIPT = "samples.js"


def report_html(results: Results, *, cutoff: dt.date | None = None) -> str:
    """The page. cutoff: a day, such as the end of a model's training data, to compare around."""
    return page(
        "report.html",
        script=SCRIPT,
        data=samples_data(results),
        title=results.model,
        results=results,
        overview=score_bars([_bar(suite.name, suite) for suite in results.suites.values()]),
        grades=grade_bars({name: suite.grades for name, suite in results.suites.items()}),
        suites=[_suite_view(suite, cutoff) for suite in results.suites.values()],
    )


def _bar(name: str, suite: SuiteResults) -> Bar:
    return Bar(label=name, value=suite.headline.value, interval=suite.headline.interval)


def _suite_view(suite: SuiteResults, cutoff: dt.date | None) -> dict[str, Any]:
    """What the template shows of a suite."""
    used = usage(suite.records())
    return {
        "suite": suite,
        "scores": suite.scores,
        "warnings": warnings(suite),
        "published": published(suite.name),
        "published_bars": _published_bars(suite),
        "facts": (
            ("tokens written", shown.count(sum(used.completion_tokens))),
            ("tokens a try", shown.count(used.mean_tokens)),
            ("latency p50", shown.seconds(quantile(used.latency_seconds, 0.5))),
            ("latency p95", shown.seconds(quantile(used.latency_seconds, 0.95))),
            ("cut at the limit", f"{shown.percent(suite.truncation)} %"),
            ("grading", f"{used.cpu_milliseconds:.1f} CPU-ms"),
            ("cost", shown.dollars(used.cost)),
        ),
        "plots": _plots(suite, used.completion_tokens, used.latency_seconds),
        "breakdowns": [(by, score_bars(bars)) for by in BY if (bars := _slices(suite, by))],
        "split": split_by_date(suite, cutoff) if cutoff else None,
        "heat": needle_map(suite),
    }


def _plots(
    suite: SuiteResults, tokens: Sequence[int], latency_seconds: Sequence[float]
) -> list[tuple[str, Markup]]:
    drawn = (
        ("Tokens a try", histogram(tokens, "tokens", f"Tokens, {suite.name}")),
        ("Latency", histogram(latency_seconds, "s", f"Latency, {suite.name}")),
    )
    return [(title, plot) for title, plot in drawn if plot]


def _slices(suite: SuiteResults, by: str) -> list[Bar]:
    return [
        Bar(
            label=f"{part.name} ({part.num_problems})",
            value=part.value,
            interval=part.interval,
            note=f"{part.num_problems} problems",
        )
        for part in breakdown(suite, by)
    ]


def _published_bars(suite: SuiteResults) -> Markup:
    rows = [row for row in published(suite.name) if row.metric == suite.headline.name]
    bars = [_bar("this run", suite)] + [
        Bar(
            label=row.model, value=row.value / 100, kind="published", note="published, not measured"
        )
        for row in rows
    ]
    return score_bars(bars) if rows else Markup("")


def needle_map(suite: SuiteResults) -> Markup:
    """Scores by length and depth, where the problems' notes tell both."""
    cells: dict[tuple[float, float], list[float]] = {}
    for problem in suite.problems:
        place = _length_and_depth(problem)
        if place and problem.count()[1]:
            cells.setdefault(place, []).append(problem.share)
    if len(cells) < 2:
        return Markup("")
    means = {place: sum(shares) / len(shares) for place, shares in cells.items()}
    return heat_map(means, f"{suite.name} by context length and depth")


def _length_and_depth(problem: ProblemResult) -> tuple[float, float] | None:
    notes = problem.asked.notes if problem.asked else {}
    length, depth = notes.get("length_tokens"), notes.get("depth_percent")
    if isinstance(length, int | float) and isinstance(depth, int | float):
        return float(length), float(depth)
    return None


def samples_data(results: Results) -> list[dict[str, Any]]:
    """Every try as plain data for the page's script, by suite; prompts once a problem."""
    num_tries = sum(len(p.records) for s in results.suites.values() for p in s.problems)
    # Four texts a try at most: prompt, reasoning, answer, program.
    most = max(400, min(MOST_TEXT, MOST_PAGE // (4 * max(1, num_tries))))
    return [
        {
            "name": suite.name,
            "problems": [_problem_data(problem, most) for problem in suite.problems],
        }
        for suite in results.suites.values()
    ]


def _problem_data(problem: ProblemResult, most: int) -> dict[str, Any]:
    asked = problem.asked
    facts = (asked.language, asked.difficulty, asked.group, asked.date) if asked else ()
    return {
        "id": problem.id,
        "facts": " · ".join(fact for fact in facts if fact),
        "prompt": cut(asked.prompt, most) if asked else "",
        "tries": [try_data(record, most) for record in problem.records],
    }


def try_data(record: Record, most: int) -> dict[str, Any]:
    """One try as plain data."""
    sample, judgement = record.sample, record.judgement
    failure = judgement.failure if judgement else None
    return {
        "index": sample.index,
        "attempt": sample.attempt,
        "grade": judgement.grade.value if judgement else "ungraded",
        "passed": judgement.num_passed if judgement else 0,
        "tests": judgement.num_tests if judgement else 0,
        "cpu": round(judgement.cpu_seconds, 4) if judgement else 0,
        "tokens": sample.completion_tokens,
        "latency": round(sample.latency_seconds, 3),
        "finish": sample.finish_reason,
        "seed": sample.seed,
        "error": sample.error,
        "answer": cut(sample.text, most),
        "reasoning": cut(sample.reasoning, most),
        "program": cut(judgement.code, most) if judgement else "",
        "failure": {k: cut(v, 4000) if isinstance(v, str) else v for k, v in vars(failure).items()}
        if failure
        else None,
    }


def cut(text: str, most: int) -> str:
    """A text of at most about `most` characters: its head and its tail, and how much is left out."""
    if len(text) <= most:
        return text
    left_out = len(text) - most
    return f"{text[: most // 2]}\n… {left_out} characters left out …\n{text[-most // 2 :]}"
