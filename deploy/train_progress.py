"""How a training run is watched: a live table on a terminal, elsewhere one line an iteration."""

import sys
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from trainer.pipeline import Watch
from trainer.recipe import Recipe

_SHOWN_ROWS = 12
_COLUMNS = (
    "iteration", "right %", "live", "tokens", "cut %", "entropy", "clip % -/+", "KL", "norm",
    "sample s", "train s", "idle s", "GB",
)  # fmt: skip


class TrainingView(Watch):
    """Shows a run on stderr, for the body of a `with`."""

    def __init__(self, recipe: Recipe) -> None:
        self._num_iterations = recipe.limits.iterations
        self._minutes = recipe.limits.minutes
        self._started_seconds = time.monotonic()
        self._rows: deque[Mapping[str, Any]] = deque(maxlen=_SHOWN_ROWS)
        self._seconds: deque[float] = deque(maxlen=10)
        self._evaluated, self._phase = "", "starting"
        console = Console(stderr=True)
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def phase(self, name: str, iteration: int) -> None:
        """Shown in the last line."""
        if name not in ("group", "step"):
            self._phase = f"{name} {iteration}"
            self._refresh()

    def row(self, row: Mapping[str, Any]) -> None:
        """A row of the log."""
        if row["type"] == "iteration":
            self._rows.append(row)
            self._seconds.append(row["measured"]["iteration_seconds"])
        elif row["type"] == "evaluation" and row["solve_rate"] is not None:
            self._evaluated = (
                f"held out after {row['iteration']}: {100 * row['solve_rate']:.1f} % right"
            )
        if self._live is not None:
            self._refresh()
        elif row["type"] == "iteration":
            print(self._line(row), file=sys.stderr, flush=True)
        elif row["type"] == "evaluation":
            print(self._evaluated, file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _refresh(self) -> None:
        if self._live is None:
            return
        table = Table(*_COLUMNS, caption=f"{self._phase}   {self._left()}   {self._evaluated}")
        for row in self._rows:
            table.add_row(*cells(row))
        self._live.update(table, refresh=True)

    def _line(self, row: Mapping[str, Any]) -> str:
        pairs = zip(_COLUMNS, cells(row), strict=True)
        return ", ".join(f"{name} {cell}" for name, cell in pairs) + f", {self._left()}"

    def _left(self) -> str:
        """What the last iterations' pace makes of those that are left, or of the time."""
        if not self._rows:
            return ""
        pace = sum(self._seconds) / len(self._seconds)
        left = pace * (self._num_iterations - self._rows[-1]["iteration"])
        if self._minutes is not None:
            left = min(left, 60 * self._minutes - (time.monotonic() - self._started_seconds))
        return f"{pace:.1f} s an iteration, {span(max(0.0, left))} left"


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table, of an iteration's row of the log."""
    learner, measured = row["learner"], row["measured"]

    def learned(name: str, text: str, factor: float = 1.0) -> str:
        return format(factor * learner[name], text) if name in learner else "-"

    clipped = f"{learned('clip_low_share', '.1f', 100)}/{learned('clip_high_share', '.1f', 100)}"
    idle = measured["sampler_idle_seconds"] + measured["learner_idle_seconds"]
    return (
        str(row["iteration"]),
        f"{100 * row['solve_rate']:.1f}",
        f"{row['groups_live']}/{row['prompts']}",
        f"{row['tokens_mean']:.0f}",
        f"{100 * row['truncated_share']:.1f}",
        learned("entropy", ".2f"),
        clipped,
        learned("mismatch_kl", ".1e"),
        learned("gradient_norm", ".2f"),
        f"{measured['sampling_seconds']:.1f}",
        f"{measured['training_seconds']:.1f}",
        f"{idle:.1f}",
        f"{measured['resident_bytes'] / 1e9:.1f}",
    )


def span(seconds: float) -> str:
    """As a person says it."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
