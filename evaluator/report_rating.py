"""What a run's answers to Codeforces problems are worth as a rating, contest by contest."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from evaluator import shown
from evaluator.errors import UsageRefused
from evaluator.rating import SAMPLES_ONLY, Attempts, Estimate, Rating, estimate, rate
from evaluator.report_table import plain_table
from evaluator.standings import Contest, Histogram
from evaluator.suite_results import SuiteResults


def attempts_of(suite: SuiteResults) -> list[Attempts]:
    """The scored samples of each problem, in order, as attempts. Raises UsageRefused without contests."""
    found = []
    for problem in suite.problems:
        index = problem.asked.notes.get("index") if problem.asked else None
        if problem.asked is None or not problem.asked.group or index is None:
            raise UsageRefused(
                f"problem {problem.id} of suite {suite.name} belongs to no contest: a rating is of the"
                " codeforces suites"
            )
        judged = [r.judgement for r in problem.tries() if r.judgement and r.judgement.is_scored]
        found.append(
            Attempts(
                problem=problem.id,
                contest=problem.asked.group,
                index=str(index),
                are_right=tuple(judgement.is_right for judgement in judged),
            )
        )
    return found


def rating_of(
    suite: SuiteResults,
    standings: Mapping[str, Contest],
    histogram: Histogram,
    problem_ratings: Mapping[str, float],
) -> tuple[Rating, Estimate]:
    """The rating by contests, and the estimate from problem ratings; each says None for itself."""
    attempts = attempts_of(suite)
    return rate(attempts, standings, histogram), estimate(attempts, problem_ratings)


def rating_data(rating: Rating, fitted: Estimate) -> dict[str, Any]:
    """Both as JSON-able data."""
    return {
        **vars(rating),
        "contests": [dict(vars(row)) for row in rating.contests],
        "solved_share": rating.solved_share,
        "estimate": dict(vars(fitted)),
        "note": SAMPLES_ONLY,
    }


def print_rating(rating: Rating, fitted: Estimate, out: Console) -> None:
    """Print a row a contest, then what they come to, within 100 columns."""
    found = plain_table(out)
    found.add_column("contest")
    for name in ("solved", "points", "penalty", "rank", "of", "rating"):
        found.add_column(name, justify="right")
    found.add_column("left out", overflow="fold")
    for row in rating.contests:
        known = row.rating is not None
        found.add_row(
            row.contest,
            f"{row.num_solved}/{row.num_problems}",
            f"{row.points:g}" if known else shown.UNKNOWN,
            f"{row.penalty:g}" if known else shown.UNKNOWN,
            str(row.rank) if known else shown.UNKNOWN,
            str(row.num_participants) if known else shown.UNKNOWN,
            str(row.rating) if known else shown.UNKNOWN,
            Text(row.left_out),
        )
    out.print(found)
    out.print(Text(_sum(rating), "bold"))
    if fitted.value is not None:
        out.print(
            Text(f"{fitted.value:.0f} ± {fitted.standard_error:.0f} by {fitted.label}"
                 f" ({fitted.num_problems} problems)")
        )  # fmt: skip
    out.print(Text(f"note: {SAMPLES_ONLY}", "yellow"))


def _sum(rating: Rating) -> str:
    solved = f"{shown.percent(rating.solved_share)} % of the problems solved in up to"
    tries = f"{solved} {rating.num_attempts} attempts"
    if rating.value is None:
        return f"no rating, as no contest has standings; {tries}"
    error = "" if rating.standard_error is None else f" ± {rating.standard_error:.0f}"
    return (
        f"rating {rating.value:.0f}{error}, above {rating.percentile} % of {rating.num_users} users;"
        f" {tries}"
    )
