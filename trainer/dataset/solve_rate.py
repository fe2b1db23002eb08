"""Keeps problems that a model solves sometimes: those it never or always solves teach it nothing.

DeepCoder's thresholds are not published; AReaL kept 0.05 to 0.95 (blog/AReaL_v0_3.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trainer.dataset.candidate import Drop
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.rows import rows
from trainer.errors import DatasetInvalid

LEAST, MOST = 0.05, 0.95


def read_solve_rates(path: Path) -> dict[str, float]:
    """Problem → share of right answers. Raises DatasetInvalid.

    Rows: id, and solve_rate, or passes and samples.
    """
    found = {}
    for number, row in enumerate(rows(path), 1):
        try:
            rate = row["solve_rate"] if "solve_rate" in row else row["passes"] / row["samples"]
            name = str(row["id"])
        except (KeyError, TypeError, ZeroDivisionError):
            rate, name = None, ""
        if not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise DatasetInvalid(
                f"{path}, row {number}: a row has an id, and a solve_rate from 0 to 1 or passes and"
                " samples; mend or remove it"
            )
        found[name] = float(rate)
    return found


def by_solve_rate(
    problems: Sequence[TrainingProblem],
    rates: Mapping[str, float],
    *,
    least: float = LEAST,
    most: float = MOST,
) -> tuple[list[TrainingProblem], list[Drop]]:
    """The problems within the thresholds (both included), with their rates; and the others.

    A problem whose rate is not known is kept: nothing speaks against it.
    """
    kept, drops = [], []
    for problem in problems:
        rate = rates.get(problem.id)
        if rate is None:
            kept.append(problem)
        elif least <= rate <= most:
            kept.append(replace(problem, solve_rate=rate))
        else:
            reason = "too_hard" if rate < least else "too_easy"
            detail = f"solve rate {rate:.3f}, kept are {least:g} to {most:g}"
            drops.append(Drop(id=problem.id, source=problem.source, reason=reason, detail=detail))
    return kept, drops
