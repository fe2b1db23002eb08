"""How the building of a data set is watched: a bar on a terminal, elsewhere a line every ten seconds."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TimeRemainingColumn

LINE_SECONDS = 10.0


class Steps:
    """Shows steps on stderr, for the body of a `with`."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._step, self._began_seconds, self._last_seconds = "", 0.0, 0.0
        if sys.stderr.isatty():
            columns = (
                "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            )  # fmt: skip
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)

    def show(self, step: str, done: int, total: int) -> None:
        """Take note of a step's progress. total: 0 where it is not known."""
        if self._bars is not None:
            if step not in self._tasks:
                self._tasks[step] = self._bars.add_task(step, total=total or None)
            self._bars.update(self._tasks[step], completed=done, total=total or None)
            return
        now = time.monotonic()
        if step != self._step:
            self._step, self._began_seconds, self._last_seconds = step, now, now
            return
        if now - self._last_seconds < LINE_SECONDS:
            return
        self._last_seconds = now
        left = ""
        if total and done:
            seconds = (now - self._began_seconds) / done * (total - done)
            left = f" of {total}, {seconds:.0f} s left"
        print(f"{step}: {done}{left}", file=sys.stderr, flush=True)

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
