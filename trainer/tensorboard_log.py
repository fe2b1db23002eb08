"""A run's rows as TensorBoard event files: live, row by row, or all of a log at once."""

import math
import time
from pathlib import Path

from tensorboard.summary import Writer

from trainer.curves import Row, RunLog
from trainer.errors import SaveFailed
from trainer.gain import solve_interval
from trainer.metrics import METRICS


class TensorBoardLog:
    """Event files in a folder; tags are `group/metric`. Not to be fed from several threads at once."""

    def __init__(self, folder: Path) -> None:
        try:
            self._writer = Writer(str(folder))
        except OSError as error:
            raise SaveFailed(
                f"{folder} cannot hold TensorBoard's files ({error.strerror}): name another folder"
            ) from error

    def row(self, row: Row, at_seconds: float | None = None) -> None:
        """A row of log.jsonl; only iterations and evaluations have curves.

        at_seconds: since 1970; None means now.
        """
        moment = time.time() if at_seconds is None else at_seconds
        kind, step = row.get("type"), row.get("iteration")
        if not isinstance(step, int):
            return
        if kind == "iteration":
            for metric in METRICS:
                self._scalar(f"{metric.group}/{metric.name}", metric.read(row), step, moment)
            for source, (samples, right) in (row.get("sources") or {}).items():
                if samples:
                    self._scalar(f"sources/{source}", right / samples, step, moment)
        elif kind == "evaluation":
            value, interval = solve_interval(row)
            self._scalar("heldout/solve_rate", value, step, moment)
            self._scalar("heldout/interval_low", interval.low, step, moment)
            self._scalar("heldout/interval_high", interval.high, step, moment)

    def flush(self) -> None:
        """Make what was given visible to readers."""
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _scalar(self, tag: str, value: float, step: int, moment: float) -> None:
        if math.isfinite(value):
            self._writer.add_scalar(tag, value, step, wall_time=moment)


def write_tensorboard(log: RunLog, folder: Path) -> None:
    """A whole log. Its rows have no time of day: it is counted from the first start, so gaps between
    sessions are left out.

    Raises SaveFailed.
    """
    from trainer.report.facts import started_at

    start = started_at(log.sessions[0])
    moment = 0.0 if math.isnan(start) else start
    written = TensorBoardLog(folder)
    try:
        moments = {0: moment}
        for row in log.iterations:
            seconds = (row.get("measured") or {}).get("iteration_seconds")
            moment += seconds if isinstance(seconds, int | float) else 0.0
            moments[row["iteration"]] = moment
            written.row(row, moment)
        for row in log.evaluations:
            written.row(row, moments.get(row["iteration"], moment))
    finally:
        written.close()
