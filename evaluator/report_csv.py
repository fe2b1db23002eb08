"""A run's results as CSV: one row a number, for spreadsheets."""

import csv
import io

from evaluator.results import Results

COLUMNS = (
    "run", "model", "weights", "rules", "suite", "recipe", "metric", "part", "value", "low", "high",
    "confidence", "standard_error", "fixed_set_error", "num_problems", "num_samples",
)  # fmt: skip


def report_csv(results: Results) -> str:
    """The scores as CSV with a header; shares from 0 to 1."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    run = (results.run, results.model, results.weights, results.rules)
    for suite in results.suites.values():
        for score in suite.scores:
            interval = score.interval
            row = (
                *run, suite.name, suite.recipe, score.name, score.part, score.value, interval.low,
                interval.high, interval.confidence, score.error, score.fixed_set_error,
                score.num_problems, score.num_samples,
            )  # fmt: skip
            writer.writerow([_inert(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()


def _inert(text: str) -> str:
    """A spreadsheet takes a cell that begins like a formula for one, and names come from outside."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
