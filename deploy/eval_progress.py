"""How a run is watched: a bar on a terminal, elsewhere one plain line every ten seconds."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from evaluator.judgement import Grade
from evaluator.progress import Progress

LINE_SECONDS = 10.0


class ProgressView:
    """Shows a run's progress on stderr, for the body of a `with`."""

    def __init__(self) -> None:
        self._bars: Bars | None = None
        self._task = TaskID(0)
        self._last_seconds = time.monotonic()
        if sys.stderr.isatty():
            self._bars = Bars(
                BarColumn(bar_width=24),
                TextColumn("{task.description}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bars.add_task("asking the endpoint", total=None)

    def show(self, progress: Progress) -> None:
        """Take note of the progress; what is shown keeps its own pace."""
        if self._bars is not None:
            self._bars.update(
                self._task,
                completed=progress.num_graded,
                total=progress.num_samples,
                description=line_of(progress),
            )
        elif time.monotonic() - self._last_seconds >= LINE_SECONDS:
            self._last_seconds = time.monotonic()
            print(line_of(progress), file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()


def line_of(progress: Progress) -> str:
    """Counts, running score, pace and what is left, in one line."""
    parts = [
        f"sampled {progress.num_sampled}, graded {progress.num_graded} of {progress.num_samples}"
    ]
    if progress.score is not None:
        parts.append(f"right {100 * progress.score:.1f} %")
    wrong = [(g, n) for g, n in progress.grades.items() if g is not Grade.PASS and n]
    wrong.sort(key=lambda pair: -pair[1])
    parts += [f"{grade.value.replace('_', ' ')} {count}" for grade, count in wrong[:3]]
    parts.append(f"{progress.tokens_per_second:.0f} tokens/s")
    if progress.eta_seconds is not None:
        parts.append(f"{_span(progress.eta_seconds)} left")
    return ", ".join(parts)


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
