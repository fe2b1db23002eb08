"""A run's results as Markdown, for pull requests and wikis."""

from collections.abc import Iterable, Iterator, Sequence

from evaluator import shown
from evaluator.published import published
from evaluator.results import Results
from evaluator.suite_results import SuiteResults
from evaluator.usage import quantile, usage
from evaluator.warning import warnings


def report_markdown(results: Results) -> str:
    """The whole report as Markdown text."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Results) -> Iterator[str]:
    yield f"# {cell(results.model)}"
    yield ""
    weights = f", weights `{cell(results.weights)}`" if results.weights else ""
    yield f"Run `{cell(results.run)}`{weights}, {results.rules} rules. Scores in percent."
    yield ""
    yield from table(
        ("suite", "metric", "score", "95 % interval", "problems × samples", "truncated",
         "infrastructure", "recipe"),
        (row for suite in results.suites.values() for row in _score_rows(suite)),
    )  # fmt: skip
    for suite in results.suites.values():
        yield from _suite_lines(suite)


def _score_rows(suite: SuiteResults) -> Iterator[tuple[str, ...]]:
    for place, score in enumerate(suite.scores):
        once = (
            (
                f"{shown.percent(suite.truncation)} %",
                str(_infrastructure(suite)),
                f"`{suite.recipe}`",
            )
            if place == 0
            else ("", "", "")
        )
        size = f"{score.num_problems} × {score.num_samples}"
        value, span = shown.percent(score.value), shown.span(score.interval)
        yield (suite.name if place == 0 else "", score.label, value, span, size, *once)


def _infrastructure(suite: SuiteResults) -> int:
    return {grade.value: number for grade, number in suite.grades.items()}["infrastructure"]


def _suite_lines(suite: SuiteResults) -> Iterator[str]:
    used = usage(suite.records())
    yield ""
    yield f"## {cell(suite.name)}"
    yield ""
    for warning in warnings(suite):
        yield f"> **Note** {cell(warning)}"
        yield ">"
    grades = [f"{g.value.replace('_', ' ')} {n}" for g, n in suite.grades.items() if n]
    yield f"- {suite.num_samples} samples: {', '.join(grades) or 'none graded'}"
    yield (
        f"- {shown.count(sum(used.completion_tokens))} tokens written, {shown.count(used.mean_tokens)}"
        f" a try; latency p50 {shown.seconds(quantile(used.latency_seconds, 0.5))}, p95"
        f" {shown.seconds(quantile(used.latency_seconds, 0.95))}; cost {shown.dollars(used.cost)};"
        f" grading {used.cpu_milliseconds:.1f} CPU-ms a sample"
    )
    rows = published(suite.name)
    if rows:
        yield ""
        yield "Published by others, not measured here:"
        yield ""
        yield from table(
            ("model", "metric", "score", "recipe", "comparable?", "source"),
            ((r.model, r.metric, r.value_text, r.recipe, r.verdict, r.source) for r in rows),
        )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'|'.join(' --- ' for _ in header)}|"
    for row in rows:
        yield f"| {' | '.join(cell(text) for text in row)} |"


def cell(text: str) -> str:
    """Text that breaks neither a table's row nor out into HTML."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def fenced(text: str, language: str = "") -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
