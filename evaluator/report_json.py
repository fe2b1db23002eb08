"""A run's results as plain data: what `--format json` prints and what other programs read."""

import json
import math
from collections.abc import Iterable
from typing import Any

from evaluator.breakdown import BY, breakdown
from evaluator.interval import Interval
from evaluator.results import Results
from evaluator.suite_results import Score, SuiteResults
from evaluator.usage import quantile, usage
from evaluator.warning import warnings

SCHEMA = 1


def report_json(results: Results) -> str:
    """The results as JSON text; what is not a number is null."""
    return json.dumps(results_data(results), indent=2, ensure_ascii=False, allow_nan=False)


def results_data(results: Results) -> dict[str, Any]:
    """The results as JSON-able data. Shares are from 0 to 1."""
    return {
        "schema": SCHEMA,
        "run": results.run,
        "model": results.model,
        "weights": results.weights,
        "started": results.started,
        "rules": results.rules,
        "suites": {name: suite_data(suite) for name, suite in results.suites.items()},
    }


def suite_data(suite: SuiteResults) -> dict[str, Any]:
    """One suite as JSON-able data."""
    used = usage(suite.records())
    return {
        "recipe": suite.recipe,
        "recipe_parts": suite.recipe_parts,
        "scores": [score_data(score) for score in suite.scores],
        "num_problems": len(suite.problems),
        "num_samples": suite.num_samples,
        "num_ungraded": suite.num_ungraded,
        "num_missing": suite.num_missing,
        "grades": {grade.value: number for grade, number in suite.grades.items()},
        "truncation": suite.truncation,
        "infrastructure": suite.infrastructure,
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": sum(used.completion_tokens),
        "latency_seconds": _quantiles(used.latency_seconds),
        "first_token_seconds": _quantiles(used.first_token_seconds),
        "num_retries": used.num_retries,
        "cost": used.cost,
        "cpu_milliseconds": used.cpu_milliseconds,
        "breakdown": {
            by: [vars(s) | {"interval": interval_data(s.interval)} for s in breakdown(suite, by)]
            for by in BY
        },
        "warnings": list(warnings(suite)),
        "problems": {p.id: list(p.count()) for p in suite.problems},
    }


def score_data(score: Score) -> dict[str, Any]:
    """One number as JSON-able data."""
    return {
        "name": score.name,
        "part": score.part,
        "value": number(score.value),
        "interval": interval_data(score.interval),
        "standard_error": number(score.error),
        "fixed_set_error": number(score.fixed_set_error),
        "num_problems": score.num_problems,
        "num_samples": score.num_samples,
    }


def interval_data(interval: Interval) -> dict[str, float]:
    """An interval as JSON-able data."""
    return dict(vars(interval))


def number(value: float) -> float | None:
    """JSON has no nan: None stands for it."""
    return None if math.isnan(value) else value


def _quantiles(values: Iterable[float]) -> dict[str, float | None]:
    known = list(values)
    return {f"p{share}": number(quantile(known, share / 100)) for share in (50, 95)}
