"""A rating from a run folder: attempts in order, by contest, and only where contests are known."""

import io
import pathlib
from collections.abc import Callable

import pytest
from rich.console import Console

from evaluator.asked import Asked
from evaluator.errors import UsageRefused
from evaluator.judgement import Grade
from evaluator.rating import rate
from evaluator.report_rating import attempts_of, print_rating, rating_data, rating_of
from evaluator.results import read_results
from evaluator.standings import Contest, Histogram, Participant

WriteRun = Callable[..., pathlib.Path]
PASS, WRONG = Grade.PASS, Grade.WRONG_ANSWER
HISTOGRAM = Histogram({800: 50, 1500: 30, 3000: 20})


def contest() -> Contest:
    people = tuple(
        Participant(points=10.0 * i, penalty=0, old_rating=1000 + 5 * i) for i in range(210)
    )
    return Contest(participants=people, points={"A": 500, "B": 1000})


def test_samples_are_attempts_in_their_order(write_run: WriteRun) -> None:
    asked = [Asked(suite="s", problem=f"7{i}", group="7", notes={"index": i}) for i in "AB"]
    grades = {"7A": [WRONG, Grade.INFRASTRUCTURE, PASS], "7B": [WRONG, WRONG]}
    suite = read_results(write_run("run", {"s": grades}, asked=asked)).suite("s")
    attempts = attempts_of(suite)
    assert [(one.index, one.are_right) for one in attempts] == [
        ("A", (False, True)),
        ("B", (False, False)),
    ]
    found, fitted = rating_of(suite, {"7": contest()}, HISTOGRAM, {})
    assert found == rate(attempts, {"7": contest()}, HISTOGRAM)
    # One failed attempt costs 50 of 500 points.
    assert found.contests[0].points == 450
    out = io.StringIO()
    print_rating(found, fitted, Console(file=out, width=100))
    assert f"rating {found.value:.0f}, above {found.percentile} % of 100 users" in out.getvalue()
    assert rating_data(found, fitted)["contests"][0]["rating"] == found.value


def test_without_standings_only_the_solved_share_is_told(write_run: WriteRun) -> None:
    asked = [Asked(suite="s", problem="7A", group="7", notes={"index": "A"})]
    suite = read_results(write_run("run", {"s": {"7A": [PASS]}}, asked=asked)).suite("s")
    out = io.StringIO()
    print_rating(*rating_of(suite, {}, HISTOGRAM, {"7A": 800}), Console(file=out, width=100))
    assert "no rating, as no contest has standings; 100.0 % of the problems" in out.getvalue()


def test_other_suites_have_no_rating(write_run: WriteRun) -> None:
    with pytest.raises(UsageRefused, match="belongs to no contest"):
        attempts_of(read_results(write_run("run", {"s": {"p": [PASS]}})).suite("s"))
