"""A static site over many runs: an index by suite, and each run's own report. Opens from a disk.

Rows of one suite stand together only where recipe and rules are equal. Published rows stand apart.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.charts import Bar, score_bars
from evaluator.errors import UsageRefused
from evaluator.page import page
from evaluator.paired import compare_paired
from evaluator.published import PUBLISHED, Published, published
from evaluator.report_html import report_html
from evaluator.results import Results, read_results
from evaluator.suite_results import Score, SuiteResults


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run's score on one suite. shares: by problem, for pairing. page: its report's file name."""

    model: str
    weights: str
    run: str
    started: str
    page: str
    suite: str
    recipe: str
    rules: str
    headline: Score
    others: tuple[Score, ...]
    truncation: float
    shares: dict[str, float]
    warning: str


@dataclass(frozen=True, kw_only=True)
class RecipeGroup:
    """Rows that are comparable, the best first. tied: runs with no clear difference from the first."""

    recipe: str
    rules: str
    rows: tuple[Row, ...]
    tied: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class SuiteBoard:
    """One suite: its comparable groups, the largest first, and what others published."""

    suite: str
    groups: tuple[RecipeGroup, ...]
    published: tuple[Published, ...]
    chart: str


def build_site(folders: Sequence[Path], out: Path, rules: str = "strict") -> Path:
    """Write index.html and one page a run below `out`; returns the index.

    One run at a time is held whole. Raises JournalBroken for a folder that is no run, UsageRefused
    when `out` cannot be written.
    """
    rows: list[Row] = []
    for number, folder in enumerate(folders, 1):
        results = read_results(folder, rules)
        name = f"run-{number}-{re.sub(r'[^A-Za-z0-9._-]+', '-', results.run)[:60]}.html"
        _write(out / name, report_html(results))
        rows += [_row(results, suite, name) for suite in results.suites.values()]
    index = out / "index.html"
    boards = suite_boards(rows)
    _write(
        index, page("leaderboard.html", title="Leaderboard", boards=boards, num_runs=len(folders))
    )
    return index


def suite_boards(rows: Iterable[Row]) -> list[SuiteBoard]:
    """Rows by suite and recipe; suites that only others have published scores of come last."""
    by_suite: dict[str, list[Row]] = {}
    for row in rows:
        by_suite.setdefault(row.suite, []).append(row)
    for published_row in PUBLISHED:
        by_suite.setdefault(published_row.suite, [])
    return [_board(suite, found) for suite, found in by_suite.items()]


def _board(suite: str, rows: list[Row]) -> SuiteBoard:
    by_recipe: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        # A run without a recipe is comparable with none, another one without included.
        key = (row.recipe, row.rules) if row.recipe else (f"none, run {row.run}", row.rules)
        by_recipe.setdefault(key, []).append(row)
    groups = [_group(recipe, rules, found) for (recipe, rules), found in by_recipe.items()]
    groups.sort(key=lambda group: -len(group.rows))
    others = published(suite)
    return SuiteBoard(
        suite=suite, groups=tuple(groups), published=others, chart=_chart(groups, others)
    )


def _group(recipe: str, rules: str, rows: list[Row]) -> RecipeGroup:
    rows.sort(key=lambda row: -row.headline.value)
    tied = frozenset(row.page for row in rows[1:] if not _is_clearly_below(row, rows[0]))
    return RecipeGroup(recipe=recipe, rules=rules, rows=tuple(rows), tied=tied)


def _is_clearly_below(row: Row, best: Row) -> bool:
    """Whether the paired 95 % interval of the difference leaves out 0."""
    both = [name for name in best.shares if name in row.shares]
    if not both:
        return False
    found = compare_paired([best.shares[n] for n in both], [row.shares[n] for n in both])
    return found.bootstrap.high < 0


def _chart(groups: Sequence[RecipeGroup], others: Sequence[Published]) -> str:
    bars = [
        Bar(label=row.model, value=row.headline.value, interval=row.headline.interval, note=row.run)
        for group in groups[:1]
        for row in group.rows[:20]
    ]
    bars += [
        Bar(
            label=row.model, value=row.value / 100, kind="published", note="published, not measured"
        )
        for row in others
        if row.metric == "pass@1"
    ]
    return score_bars(bars) if bars else ""


def _row(results: Results, suite: SuiteResults, name: str) -> Row:
    facts: dict[str, Any] = {
        "model": results.model,
        "weights": results.weights,
        "run": results.run,
        "started": results.started,
        "rules": results.rules,
    }
    return Row(
        **facts,
        page=name,
        suite=suite.name,
        recipe=suite.recipe,
        headline=suite.headline,
        others=suite.scores[1:],
        truncation=suite.truncation,
        shares={p.id: p.share for p in suite.problems if p.count()[1]},
        warning=str(suite.facts.get("warning") or ""),
    )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageRefused(
            f"{path} cannot be written ({error.strerror}): choose another --out or free space"
        ) from error
