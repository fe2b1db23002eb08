"""A run's log as curves: its rows by type, numbers over iterations, and where a curve must break.

A log may be cut anywhere, still be growing, lack evaluations, or hold one iteration; what a row does
not say is nan. Where the prompts asked change, so does the solve rate without anything being learned:
such places are breaks, and no mean reaches over one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from trainer.errors import LogInvalid
from trainer.event_log import NAME, read_log

Row = Mapping[str, Any]

WINDOW = 5
"""Iterations of a mean: one iteration's solve rate scatters by 8 points with 24 prompts."""
_FEWEST = 3
"""Points of a mean at least; before, a line would be the scatter itself."""


@dataclass(frozen=True, kw_only=True)
class RunLog:
    """The rows of one run, iterations and evaluations in order. end: None for a run that has not ended."""

    folder: Path
    sessions: tuple[Row, ...]
    probes: tuple[Row, ...]
    iterations: tuple[Row, ...]
    samples: tuple[Row, ...]
    evaluations: tuple[Row, ...]
    stages: tuple[Row, ...]
    saves: tuple[Row, ...]
    end: Row | None

    @property
    def name(self) -> str:
        """What the run calls itself, else its folder's name."""
        return str(self.sessions[-1].get("run") or self.folder.name)

    @property
    def first_and_last(self) -> tuple[Row, Row] | None:
        """The evaluations that tell what was learned; None with fewer than two."""
        return (self.evaluations[0], self.evaluations[-1]) if len(self.evaluations) > 1 else None


def read_run(folder: Path) -> RunLog:
    """All rows of a run's folder. Raises LogInvalid for a folder without a log, or a log that is none."""
    by_type: dict[str, list[Row]] = {}
    last = ""
    try:
        rows: Iterable[Any] = read_log(folder)
        for number, row in enumerate(rows, 1):
            if not isinstance(row, dict) or not isinstance(row.get("type"), str):
                raise _broken(folder, number, "no object with a type")
            last = row["type"]
            by_type.setdefault(last, []).append(row)
    except OSError as error:
        raise LogInvalid(
            f"{folder / NAME} cannot be read ({error.strerror}): a run's folder holds its log; name the"
            " folder that codeloop train run wrote"
        ) from error
    except orjson.JSONDecodeError as error:
        number = 1 + sum(map(len, by_type.values()))
        raise _broken(folder, number, f"not JSON ({error.msg})") from error
    if "session" not in by_type:
        raise LogInvalid(
            f"{folder / NAME} has no session row: a run's log begins with one; the run has not begun, or"
            " this is another program's log"
        )
    return RunLog(
        folder=folder,
        sessions=tuple(by_type["session"]),
        probes=tuple(by_type.get("probe", ())),
        iterations=_in_order(by_type.get("iteration", ())),
        samples=_in_order(by_type.get("samples", ())),
        evaluations=_in_order(by_type.get("evaluation", ())),
        stages=_in_order(by_type.get("stage", ())),
        saves=tuple(by_type.get("save", ())),
        end=by_type["end"][-1] if last == "end" else None,
    )


def _broken(folder: Path, number: int, found: str) -> LogInvalid:
    return LogInvalid(
        f"{folder / NAME}:{number} is {found}: every line is one JSON object with a type; cut the log"
        " before that line, or name another run"
    )


def _in_order(rows: Iterable[Row]) -> tuple[Row, ...]:
    """By iteration; of two rows for one iteration the later one stands."""
    found = {int(row["iteration"]): row for row in rows if isinstance(row.get("iteration"), int)}
    return tuple(found[iteration] for iteration in sorted(found))


def number(row: Row, *path: str) -> float:
    """What a row holds under keys within keys; nan where it holds no number there."""
    value: Any = row
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) else math.nan


def mean(values: Iterable[float]) -> float:
    """Of those that are known; nan for none."""
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def ratio(part: float, whole: float) -> float:
    """nan where there is no whole."""
    return part / whole if whole > 0 else math.nan


@dataclass(frozen=True, kw_only=True)
class Break:
    """Before `iteration` something else than the policy changed. is_new_mix: curves are not to be
    compared over it; else it is only worth knowing."""

    iteration: int
    text: str
    is_new_mix: bool = True


def smoothed(
    points: Sequence[tuple[int, float]], breaks: Sequence[Break]
) -> list[list[tuple[int, float]]]:
    """Means of up to WINDOW iterations, each drawn at its last one: one list a stretch between breaks."""
    edges = sorted({one.iteration for one in breaks if one.is_new_mix})
    stretches: list[list[tuple[int, float]]] = [[] for _ in range(len(edges) + 1)]
    for iteration, value in points:
        stretches[sum(edge <= iteration for edge in edges)].append((iteration, value))
    return [found for stretch in stretches if (found := _means(stretch))]


def _means(stretch: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    known = [(iteration, value) for iteration, value in stretch if not math.isnan(value)]
    return [
        (known[end - 1][0], mean(value for _, value in known[max(0, end - WINDOW) : end]))
        for end in range(_FEWEST, len(known) + 1)
    ]
