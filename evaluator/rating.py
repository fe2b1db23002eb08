"""A Codeforces rating from answers to contests' problems, by the published formula.

Answers to a problem count as attempts, one after the other. A contest's score is the sum over solved
problems of max(0, points - 50 w), w the failed attempts before the first right one; without points,
problems solved, with a penalty of 10 w each. The rank m is the number of rated participants who are
not behind that. The contest's rating is the largest whole r in [0, highest old rating + 100] with
1 + sum_i 1 / (1 + 10^((r - r_i) / 400)) >= m; the rating is the mean over contests, and its
percentile the share of users below. Sources: QwenLM/CodeElo calc_rating.py, agentica-project/rllm
cf_elo_calc.py.

What to know of it: m counts from 0 where the sum begins at 1, so a contest's winner is placed one
rank too high (`first_rank=1` is the consistent count); attempts are read in the order of the samples,
and 8 attempts are no pass@1; contests with 200 rated rows or fewer are left out, here by name.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.standings import Contest, Histogram, Participant

FEWEST_PARTICIPANTS = 201
SAMPLES_ONLY = (
    "samples only: the tests are those that the statements show, so a pass is weaker than an accepted"
    " submission, and a rating from it is not one of codeforces.com"
)
_POINTS_LOST = 50
_PENALTY = 10
_ROOM_ABOVE = 100
_SCALE = math.log(10) / 400


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """The answers to one problem, in order. index: its letter in the contest, such as "A"."""

    problem: str
    contest: str
    index: str
    are_right: tuple[bool, ...]

    @property
    def num_failed_before(self) -> int | None:
        """Failed attempts before the first right one; None when none is right."""
        return self.are_right.index(True) if any(self.are_right) else None


@dataclass(frozen=True, kw_only=True)
class ContestRating:
    """One contest's row. rank, rating: None where left_out says why there is none."""

    contest: str
    num_problems: int
    num_solved: int
    points: float = 0.0
    penalty: float = 0.0
    rank: int | None = None
    num_participants: int = 0
    rating: int | None = None
    left_out: str = ""


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What contests came to together.

    value: None where no contest had standings. standard_error: of the mean over contests; None with
    fewer than two. num_attempts: the most a problem had.
    """

    contests: tuple[ContestRating, ...]
    value: float | None
    standard_error: float | None
    percentile: float | None
    num_users: int
    num_attempts: int

    @property
    def solved_share(self) -> float:
        """Problems with a right attempt, of all."""
        total = sum(row.num_problems for row in self.contests)
        return sum(row.num_solved for row in self.contests) / total if total else 0.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A rating fitted to problem ratings; never to be mixed with a contest rating.

    value, standard_error: None when all or none was solved: no finite rating fits.
    """

    value: float | None
    standard_error: float | None
    num_problems: int
    label: str = "maximum likelihood over problem ratings, not a contest rating"


def rate(
    attempts: Sequence[Attempts],
    standings: Mapping[str, Contest],
    histogram: Histogram,
    *,
    first_rank: int = 0,
) -> Rating:
    """The rating, with a row for each contest, those without standings included."""
    by_contest: dict[str, list[Attempts]] = {}
    for one in attempts:
        by_contest.setdefault(one.contest, []).append(one)
    rows = tuple(
        _rate_contest(name, problems, standings.get(name), first_rank)
        for name, problems in sorted(by_contest.items())
    )
    ratings = [row.rating for row in rows if row.rating is not None]
    value = sum(ratings) / len(ratings) if ratings else None
    return Rating(
        contests=rows,
        value=value,
        standard_error=_standard_error(ratings),
        percentile=None if value is None else histogram.percentile(value),
        num_users=histogram.num_users,
        num_attempts=max((len(one.are_right) for one in attempts), default=0),
    )


def _rate_contest(
    name: str, problems: Sequence[Attempts], contest: Contest | None, first_rank: int
) -> ContestRating:
    num_solved = sum(any(one.are_right) for one in problems)
    bare = ContestRating(
        contest=name, num_problems=len(problems), num_solved=num_solved, left_out="no standings"
    )
    if contest is None:
        return bare
    points, penalty = contest_score(problems, contest.points)
    people = contest.participants
    reason = ""
    if len(people) < FEWEST_PARTICIPANTS:
        reason = f"{len(people)} rated participants: at least {FEWEST_PARTICIPANTS} are needed"
    elif missing := [
        one.problem for one in problems if contest.points and one.index not in contest.points
    ]:
        reason = f"no points for {', '.join(missing)}"
    rank = first_rank + sum(not _is_behind(person, points, penalty) for person in people)
    old = [person.old_rating for person in people]
    return ContestRating(
        contest=name,
        num_problems=len(problems),
        num_solved=num_solved,
        points=points,
        penalty=penalty,
        rank=None if reason else rank,
        num_participants=len(people),
        rating=None if reason else rating_for_rank(rank, old),
        left_out=reason,
    )


def contest_score(problems: Sequence[Attempts], points: Mapping[str, float]) -> tuple[float, float]:
    """Points and penalty of a contest; points: by problem index, empty where each counts one."""
    score, penalty = 0.0, 0.0
    for one in problems:
        failed = one.num_failed_before
        if failed is None:
            continue
        if points:
            score += max(0.0, points.get(one.index, 0.0) - _POINTS_LOST * failed)
        else:
            score += 1
            penalty += _PENALTY * failed
    return score, penalty


def _is_behind(person: Participant, points: float, penalty: float) -> bool:
    is_equal = person.points == points
    return person.points < points or (is_equal and person.penalty > penalty)


def rating_for_rank(rank: int, old_ratings: Sequence[int]) -> int:
    """The largest rating whose expected rank among the participants is not better than `rank`."""
    low, high = 0, max(old_ratings) + _ROOM_ABOVE
    while low < high:
        middle = (low + high + 1) // 2
        if expected_rank(middle, old_ratings) < rank:
            high = middle - 1
        else:
            low = middle
    return low


def expected_rank(rating: float, old_ratings: Sequence[int]) -> float:
    """1 + the expected number of participants who do better."""
    return 1 + sum(1 / (1 + 10 ** ((rating - old) / 400)) for old in old_ratings)


def estimate(attempts: Sequence[Attempts], problem_ratings: Mapping[str, float]) -> Estimate:
    """The rating t that makes the answers likeliest, each right with 1 / (1 + 10^((d - t) / 400)).

    d: the problem's rating; problems without one are left out. Each attempt counts. Its error is
    that of the attempts: 1 / ((ln 10 / 400) sqrt(sum p (1 - p))).
    """
    tried = [
        (problem_ratings[one.problem], sum(one.are_right), len(one.are_right))
        for one in attempts
        if one.problem in problem_ratings and one.are_right
    ]
    right, total = sum(row[1] for row in tried), sum(row[2] for row in tried)
    if right in (0, total):
        return Estimate(value=None, standard_error=None, num_problems=len(tried))
    low, high = -4000.0, 8000.0
    for _ in range(100):
        middle = (low + high) / 2
        expected = sum(n * _chance(d, middle) for d, _, n in tried)
        low, high = (middle, high) if expected < right else (low, middle)
    information = sum(n * _chance(d, low) * (1 - _chance(d, low)) for d, _, n in tried)
    return Estimate(
        value=low,
        standard_error=1 / (_SCALE * math.sqrt(information)),
        num_problems=len(tried),
    )


def _chance(difficulty: float, rating: float) -> float:
    return float(1 / (1 + 10 ** ((difficulty - rating) / 400)))


def _standard_error(ratings: Sequence[int]) -> float | None:
    if len(ratings) < 2:
        return None
    mean = sum(ratings) / len(ratings)
    variance = sum((rating - mean) ** 2 for rating in ratings) / (len(ratings) - 1)
    return math.sqrt(variance / len(ratings))
