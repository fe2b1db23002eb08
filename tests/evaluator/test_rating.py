"""The Codeforces rating: cases worked by hand, and the published pairs of rating and percentile."""

import json
import os
from pathlib import Path

import pytest

from evaluator.data import DataFolder
from evaluator.errors import DataInvalid
from evaluator.rating import Attempts, contest_score, estimate, rate, rating_for_rank
from evaluator.standings import (
    Contest,
    Histogram,
    Participant,
    read_histogram,
    read_standings,
)
from evaluator.suites.codeforces import CODEFORCES, CODEFORCES_TAGS, HISTOGRAM

DATA = Path(os.environ.get("CODELOOP_DATA", "../shared/data"))
USERS = Histogram({1000: 50, 1500: 30, 2000: 20})


def attempts(problem: str, *are_right: bool, contest: str = "1971") -> Attempts:
    index = problem.removeprefix(contest)
    return Attempts(problem=problem, contest=contest, index=index, are_right=are_right)


def crowd(count: int, *, points: float = 1, rating: int = 1500) -> tuple[Participant, ...]:
    return (Participant(points=points, penalty=0, old_rating=rating),) * count


@pytest.fixture(scope="module")
def data() -> DataFolder:
    if not (DATA / HISTOGRAM.path).is_file():
        pytest.skip(f"{DATA / HISTOGRAM.path} is not here: name the data folder in CODELOOP_DATA")
    return DataFolder(DATA)


@pytest.mark.data
@pytest.mark.parametrize(
    ("rating", "percent"), [(1791, 92.7), (1991, 96.1), (1918, 94.9), (1948, 95.4), (1658, 88.5)]
)
def test_the_published_percentiles_come_out(data: DataFolder, rating: int, percent: float) -> None:
    histogram = read_histogram(data.content(HISTOGRAM), HISTOGRAM.path)
    assert histogram.num_users == 89352
    assert histogram.percentile(rating) == percent


def test_points_fall_by_fifty_a_failed_attempt_and_never_below_zero() -> None:
    problems = [
        attempts("1971A", False, True, True),  # 500 - 50
        attempts("1971B", False, False),  # never solved
        attempts("1971C", False, False, False, True),  # 100 - 150 is nothing
    ]
    assert contest_score(problems, {"A": 500, "B": 1000, "C": 100}) == (450, 0)


def test_without_points_each_problem_counts_one_and_failures_are_penalty() -> None:
    problems = [attempts("1971A", False, False, True), attempts("1971B", True)]
    assert contest_score(problems, {}) == (2, 20)


def test_the_middle_of_three_hundred_equals_has_their_rating() -> None:
    # 1 + 300 / (1 + 10^((r - 1500) / 400)) >= 151 holds up to r = 1500.
    assert rating_for_rank(151, [1500] * 300) == 1500
    # Last of all: 1 + 300 / (1 + 10^(-1500 / 400)) = 300.95 is the most there is, so r is 0.
    assert rating_for_rank(301, [1500] * 300) == 0
    # First: the highest old rating + 100 is where the search ends.
    assert rating_for_rank(0, [1500] * 300) == 1600


def test_a_contest_is_ranked_among_those_who_are_not_behind() -> None:
    contest = Contest(participants=(*crowd(150, points=3), *crowd(150, points=1)))
    problems = [attempts("1971A", True), attempts("1971B", True)]
    rated = rate(problems, {"1971": contest}, USERS)
    (row,) = rated.contests
    assert (row.points, row.rank, row.num_participants) == (2, 150, 300)
    # 300 / (1 + x) >= 149 up to x = 1.0134: r = 1500 + 400 log10(1.0134) = 1502.3
    assert rated.value == row.rating == 1502
    assert rate(problems, {"1971": contest}, USERS, first_rank=1).value == 1500
    assert rated.percentile == 80.0


def test_equal_points_are_told_apart_by_penalty() -> None:
    fast = Participant(points=1, penalty=5, old_rating=1500)
    slow = Participant(points=1, penalty=15, old_rating=1500)
    contest = Contest(participants=(fast,) * 150 + (slow,) * 150)
    rated = rate([attempts("1971A", False, True)], {"1971": contest}, USERS)
    assert rated.contests[0].rank == 150


def test_contests_that_cannot_be_rated_are_named_with_the_reason() -> None:
    problems = [
        attempts("1A", True, contest="1"),
        attempts("2A", True, contest="2"),
        attempts("3A", False, contest="3"),
    ]
    standings = {
        "1": Contest(participants=crowd(200)),
        "2": Contest(participants=crowd(300), points={"B": 500}),
    }
    rated = rate(problems, standings, USERS)
    assert rated.value is None
    assert rated.percentile is None
    assert [row.left_out for row in rated.contests] == [
        "200 rated participants: at least 201 are needed",
        "no points for 2A",
        "no standings",
    ]
    assert rated.solved_share == pytest.approx(2 / 3)


def test_the_estimate_is_where_half_of_equal_problems_are_solved() -> None:
    problems = [attempts(f"1971{letter}", letter < "C") for letter in "ABCD"]
    found = estimate(problems, {f"1971{letter}": 1700.0 for letter in "ABCD"})
    assert found.value == pytest.approx(1700)
    # information = (ln 10 / 400)^2 * 4 * 0.25, so the error is 400 / ln 10
    assert found.standard_error == pytest.approx(173.72, abs=0.01)
    assert "not a contest rating" in found.label


def test_no_estimate_where_all_or_nothing_was_solved() -> None:
    assert estimate([attempts("1971A", True)], {"1971A": 800.0}).value is None
    assert estimate([attempts("1971A", False)], {"1971A": 800.0}).value is None


def test_standings_are_read_and_a_wrong_row_is_named(tmp_path: Path) -> None:
    file = tmp_path / "standings.json"
    table = {"contests": {"1971": {"points": {"A": 500}, "participants": [[500, 0, 1400]]}}}
    file.write_text(json.dumps(table))
    contest = read_standings(file)["1971"]
    assert contest.points == {"A": 500}
    assert contest.participants == (Participant(points=500, penalty=0, old_rating=1400),)
    table["contests"]["1971"]["participants"] = [[500, 0, 1400], [500, "0", 1400]]
    file.write_text(json.dumps(table))
    with pytest.raises(DataInvalid, match="contest 1971, participant 2"):
        read_standings(file)


@pytest.mark.data
def test_the_suite_groups_problems_by_contest_and_hides_tags_unless_asked(data: DataFolder) -> None:
    problems = CODEFORCES.load(data)
    assert len(problems) == 408
    assert len({problem.group for problem in problems}) == 57
    assert problems[0].notes["index"] == "A"
    hidden, shown = str(CODEFORCES.prompt(problems[0])), str(CODEFORCES_TAGS.prompt(problems[0]))
    assert "implementation" not in hidden
    assert "'implementation', 'sortings'" in shown
    assert "samples only" in CODEFORCES.warning
