"""A comparison as table, Markdown, JSON or one HTML page."""

import json
import math
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from evaluator import shown
from evaluator.comparison import Comparison, Flip, SuiteComparison
from evaluator.journal import Record
from evaluator.page import page
from evaluator.report_html import cut
from evaluator.report_json import interval_data, number
from evaluator.report_markdown import cell, fenced, table
from evaluator.report_table import plain_table

MOST_PROGRAM = 6_000
"""Characters of a program or a failing test in a comparison."""


def verdict(suite: SuiteComparison) -> str:
    """What the comparison says, in words; by the adjusted p-value at 5 %."""
    if suite.p_adjusted > 0.05:
        least = 2.8 * suite.paired.standard_error
        if math.isnan(least):
            return "no clear difference; one problem tells nothing"
        if least == 0:
            return "all problems differ alike" if suite.paired.difference else "no problem differs"
        return f"no clear difference; one of {shown.percent(least)} points would mostly show"
    return "B is better" if suite.paired.difference > 0 else "B is worse"


def print_comparison(comparison: Comparison, out: Console) -> None:
    """Print each suite's difference and which problems flipped, within 100 columns."""
    for name, run in (("A", comparison.a), ("B", comparison.b)):
        out.print(Text(f"{name}: {run.model}, run {run.run}", "bold"))
    found = plain_table(out)
    found.add_column("suite", overflow="fold")
    for name in ("A", "B", "B - A", "95 % interval", "P(B better)", "lost", "won", "p", "p Holm"):
        found.add_column(name, justify="right")
    for suite in comparison.suites:
        found.add_row(Text(suite.name), *_cells(suite))
    out.print(found)
    for suite in comparison.suites:
        out.print(Text(f"{suite.name}: {verdict(suite)} ({suite.paired.num_problems} problems)"))
        for line in notes(suite):
            out.print(Text(f"  note: {line}", "yellow"))
        for flip in suite.flips:
            grades = f"{_grade(flip.a)} -> {_grade(flip.b)}"
            out.print(Text(f"  {'won ' if flip.is_gain else 'lost'} {flip.problem}: {grades}"))


def notes(suite: SuiteComparison) -> Iterator[str]:
    """What to know before believing a suite's comparison."""
    for name, (a, b) in suite.differences.items():
        yield f"the recipes differ in {name}: {cut(str(a), 60)} and {cut(str(b), 60)}"
    if suite.num_left_out:
        yield f"{suite.num_left_out} problems are left out: only one of the runs scored them"


def _cells(suite: SuiteComparison) -> tuple[str, ...]:
    paired = suite.paired
    return (
        shown.percent(paired.score_a), shown.percent(paired.score_b), shown.points(paired.difference),
        shown.points_span(paired.bootstrap), shown.percent(paired.probability_b_better),
        str(paired.only_a), str(paired.only_b), shown.probability(suite.p_value),
        shown.probability(suite.p_adjusted),
    )  # fmt: skip


def comparison_markdown(comparison: Comparison) -> str:
    """The comparison as Markdown, each flip with both programs and first failing tests."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"# {cell(comparison.b.model)} against {cell(comparison.a.model)}"
    yield ""
    yield f"A is run `{cell(comparison.a.run)}`, B is run `{cell(comparison.b.run)}`. In percent."
    yield ""
    yield from table(
        (
            "suite",
            "A",
            "B",
            "B − A",
            "95 % interval",
            "P(B better)",
            "only A",
            "only B",
            "p",
            "p Holm",
        ),
        ((suite.name, *_cells(suite)) for suite in comparison.suites),
    )
    for suite in comparison.suites:
        yield f"\n## {cell(suite.name)}: {verdict(suite)}\n"
        for line in notes(suite):
            yield f"- {cell(line)}"
        for flip in suite.flips:
            yield f"\n### {'Won' if flip.is_gain else 'Lost'}: {cell(flip.problem)}\n"
            for name, record in (("A", flip.a), ("B", flip.b)):
                yield f"{name}: {_grade(record)}\n"
                yield fenced(_program(record))
                if failing := _failure(record):
                    yield f"\n{fenced(failing)}"
                yield ""


def comparison_json(comparison: Comparison) -> str:
    """The comparison as JSON text; shares from 0 to 1."""
    data = {
        "a": {
            "run": comparison.a.run,
            "model": comparison.a.model,
            "weights": comparison.a.weights,
        },
        "b": {
            "run": comparison.b.run,
            "model": comparison.b.model,
            "weights": comparison.b.weights,
        },
        "rules": comparison.a.rules,
        "suites": {suite.name: _suite_data(suite) for suite in comparison.suites},
    }
    return json.dumps(data, indent=2, ensure_ascii=False, default=str, allow_nan=False)


def _suite_data(suite: SuiteComparison) -> dict[str, Any]:
    paired = vars(suite.paired) | {
        "standard_error": number(suite.paired.standard_error),
        "t_interval": interval_data(suite.paired.t_interval),
        "bootstrap": interval_data(suite.paired.bootstrap),
    }
    return paired | {
        "p_value": suite.p_value,
        "p_adjusted": suite.p_adjusted,
        "verdict": verdict(suite),
        "recipe_differences": {name: list(pair) for name, pair in suite.differences.items()},
        "num_left_out": suite.num_left_out,
        "flips": [
            {
                "problem": flip.problem,
                "share_a": flip.share_a,
                "share_b": flip.share_b,
                "grade_a": _grade(flip.a),
                "grade_b": _grade(flip.b),
            }
            for flip in suite.flips
        ],
    }


def comparison_html(comparison: Comparison) -> str:
    """The comparison as one page that works offline; programs are text and nothing in it runs."""
    views = [
        {
            "suite": suite,
            "cells": _cells(suite),
            "verdict": verdict(suite),
            "notes": list(notes(suite)),
            "flips": [_flip_view(flip) for flip in suite.flips],
        }
        for suite in comparison.suites
    ]
    title = f"{comparison.b.model} against {comparison.a.model}"
    return page("compare.html", title=title, comparison=comparison, suites=views)


def _flip_view(flip: Flip) -> dict[str, Any]:
    sides = [
        {"name": name, "grade": _grade(r), "program": _program(r), "failure": _failure(r)}
        for name, r in (("A", flip.a), ("B", flip.b))
    ]
    return {"flip": flip, "sides": sides}


def _grade(record: Record) -> str:
    return record.judgement.grade.value.replace("_", " ") if record.judgement else "ungraded"


def _program(record: Record) -> str:
    return cut(record.judgement.code, MOST_PROGRAM) if record.judgement else ""


def _failure(record: Record) -> str:
    failure = record.judgement.failure if record.judgement else None
    if failure is None:
        return ""
    parts = (
        ("", failure.message),
        ("input: " if failure.test is None else f"test {failure.test}: ", failure.given),
        ("expected: ", failure.expected),
        ("got: ", failure.got),
    )
    return cut("\n".join(f"{name}{text}" for name, text in parts if text), MOST_PROGRAM)
