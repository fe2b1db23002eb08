"""A run's results for a terminal: at most 100 columns, plain where there is no terminal."""

import sys
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator import shown
from evaluator.results import Results
from evaluator.suite_results import SuiteResults
from evaluator.usage import quantile, usage
from evaluator.warning import warnings

MOST_COLUMNS = 100


def console(file: TextIO | None = None) -> Console:
    """A console that no table widens past 100 columns; NO_COLOR is honoured by rich."""
    found = Console(file=file or sys.stdout, highlight=False, markup=False, emoji=False)
    found.width = min(MOST_COLUMNS, found.width) if found.is_terminal else MOST_COLUMNS
    return found


def print_report(results: Results, out: Console) -> None:
    """Print the scores, what each suite's samples came to, and what to know about them."""
    weights = f", weights {results.weights[:16]}" if results.weights else ""
    out.print(Text(f"{results.model}{weights}, {results.rules} rules, run {results.run}", "bold"))
    out.print(_scores(results, out))
    for suite in results.suites.values():
        _print_suite(suite, out)


def plain_table(out: Console) -> Table:
    """An empty table in the style of all reports."""
    style = box.SIMPLE_HEAD if out.is_terminal else box.ASCII2
    return Table(box=style, padding=(0, 1), header_style="bold", show_edge=False)


def _scores(results: Results, out: Console) -> Table:
    found = plain_table(out)
    found.add_column("suite", overflow="fold")
    found.add_column("metric", overflow="fold")
    for name in ("score %", "95 % interval", "n x k", "cut %", "infra", "tokens", "p50"):
        found.add_column(name, justify="right", overflow="fold")
    for suite in results.suites.values():
        used = usage(suite.records())
        failed = str({g.value: n for g, n in suite.grades.items()}["infrastructure"])
        latency = shown.seconds(quantile(used.latency_seconds, 0.5))
        rest = (shown.percent(suite.truncation), failed, shown.count(used.mean_tokens), latency)
        for place, score in enumerate(suite.scores):
            found.add_row(
                Text(suite.name if place == 0 else ""),
                Text(score.label),
                Text(shown.percent(score.value), "bold" if place == 0 else ""),
                shown.span(score.interval),
                f"{score.num_problems} x {score.num_samples}",
                *(rest if place == 0 else ("", "", "", "")),
            )
    return found


def _print_suite(suite: SuiteResults, out: Console) -> None:
    used = usage(suite.records())
    grades = ", ".join(f"{g.value.replace('_', ' ')} {n}" for g, n in suite.grades.items() if n)
    took = f"; {used.cpu_milliseconds:.1f} CPU-ms a sample to grade"
    cost = f"; {shown.dollars(used.cost)}" if used.cost is not None else ""
    recipe = f"; recipe {suite.recipe[:12]}" if suite.recipe else ""
    out.print(Text(f"{suite.name}: {grades or 'nothing graded'}{took}{cost}{recipe}"))
    for warning in warnings(suite):
        out.print(Text(f"  note: {warning}", "yellow"))
