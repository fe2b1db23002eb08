"""What an operator imports for Codeforces ratings: standings, problem ratings, the users' histogram.

Standings, one JSON file, exported once where codeforces.com can be reached (contest.standings
without unofficial rows, joined with contest.ratingChanges):

    {"source": "codeforces.com, 2025-01-10",
     "contests": {"1971": {"points": {"A": 500, "B": 1000},
                           "participants": [[3500, 120, 1873], …]}}}

points: by problem index, left out for contests that count solved problems. participants: points (or
problems solved), penalty, rating before the contest; only who took part officially and was rated.
Problem ratings, for the estimate without standings: {"1971A": 800, …}.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from evaluator.errors import DataInvalid, DataMissing


@dataclass(frozen=True, kw_only=True)
class Participant:
    """One rated row of a contest. points: or problems solved, where the contest has no points."""

    points: float
    penalty: float
    old_rating: int


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Standings of one contest. points: of each problem by its index; empty where it has none."""

    participants: tuple[Participant, ...]
    points: Mapping[str, float] = field(default_factory=dict)


class Histogram:
    """How many users have which rating.

    counts: rating → users.
    """

    def __init__(self, counts: Mapping[int, int]) -> None:
        self._ratings = sorted(counts)
        self._below = [0, *accumulate(counts[rating] for rating in self._ratings)]

    @property
    def num_users(self) -> int:
        """All users."""
        return self._below[-1]

    def percentile(self, rating: float) -> float:
        """Share of users rated below, in percent, with one decimal as published."""
        below = self._below[bisect_left(self._ratings, rating)]
        return round(100 * below / self.num_users, 1)


def read_histogram(content: bytes, name: str) -> Histogram:
    """From JSON rating → users. Raises DataInvalid."""
    table = _parsed(content, name)
    try:
        return Histogram({int(rating): int(users) for rating, users in table.items()})
    except (TypeError, ValueError) as error:
        raise DataInvalid(f"{name}: a histogram maps ratings to users; {error}") from error


def read_problem_ratings(path: Path) -> dict[str, float]:
    """Problem id → its rating. Raises DataMissing, DataInvalid."""
    table = _parsed(_content(path), str(path))
    for problem, rating in table.items():
        if not _is_number(rating):
            raise DataInvalid(f"{path}, {problem}: a rating is a number, this is {rating!r}")
    return {problem: float(rating) for problem, rating in table.items()}


def read_standings(path: Path) -> dict[str, Contest]:
    """Contest id → its standings. Raises DataMissing, DataInvalid with the contest and the row."""
    table = _parsed(_content(path), str(path)).get("contests")
    if not isinstance(table, dict):
        raise DataInvalid(f'{path}: there is no object "contests"; see evaluator.standings')
    return {str(name): _contest(row, f"{path}, contest {name}") for name, row in table.items()}


def _contest(row: Any, where: str) -> Contest:
    if not isinstance(row, dict) or not isinstance(row.get("participants"), list):
        raise DataInvalid(f'{where}: it needs a list "participants"')
    points = row.get("points") or {}
    if not isinstance(points, dict) or not all(map(_is_number, points.values())):
        raise DataInvalid(f'{where}: "points" maps problem indices to numbers, this is {points!r}')
    people: list[Participant] = []
    for number, cells in enumerate(row["participants"], 1):
        if not isinstance(cells, list) or len(cells) != 3 or not all(map(_is_number, cells)):
            raise DataInvalid(
                f"{where}, participant {number}: a row is [points, penalty, old rating], this is"
                f" {cells!r}"
            )
        people.append(Participant(points=cells[0], penalty=cells[1], old_rating=int(cells[2])))
    return Contest(participants=tuple(people), points=points)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataMissing(
            f"{path} cannot be read ({error.strerror}): name a file of this machine"
        ) from error


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    try:
        table = json.loads(content)
    except ValueError as error:
        raise DataInvalid(f"{name} is no JSON: {error}") from error
    if not isinstance(table, dict):
        raise DataInvalid(f"{name} holds a {type(table).__name__}: it is a JSON object")
    return table
