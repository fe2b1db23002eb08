"""Who is told of a run's rows besides its log: the terminal, TensorBoard, Prometheus."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from trainer.pipeline import Watch


class Watches(Watch):
    """Tells several, in their order."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

    def phase(self, name: str, iteration: int) -> None:
        for watch in self._watches:
            watch.phase(name, iteration)

    def row(self, row: Mapping[str, Any]) -> None:
        for watch in self._watches:
            watch.row(row)


@contextmanager
def watched(view: Watch, *, tensorboard: Path | None, metrics_port: int | None) -> Iterator[Watch]:
    """The view and what else was asked for. Raises SaveFailed for a folder or port not to be had."""
    with ExitStack() as stack:
        watches = [view]
        if tensorboard is not None:
            watches.append(stack.enter_context(_tensorboard(tensorboard)))
        if metrics_port is not None:
            watches.append(stack.enter_context(_prometheus(metrics_port)))
        yield Watches(*watches)


@contextmanager
def _tensorboard(folder: Path) -> Iterator[Watch]:
    from trainer.tensorboard_log import TensorBoardLog

    events = TensorBoardLog(folder)

    class Events(Watch):
        def row(self, row: Mapping[str, Any]) -> None:
            events.row(row)
            events.flush()

    try:
        yield Events()
    finally:
        events.close()


@contextmanager
def _prometheus(port: int) -> Iterator[Watch]:
    from trainer.prometheus_log import PrometheusLog

    metrics = PrometheusLog()
    server, thread = metrics.serve(port)

    class Series(Watch):
        def row(self, row: Mapping[str, Any]) -> None:
            metrics.row(row)

    try:
        yield Series()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
