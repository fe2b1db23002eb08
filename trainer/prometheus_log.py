"""A run's rows as Prometheus series, in a registry of their own: served over HTTP or written to a file.

Labels are few and bounded: a phase, a percentile, a kind of group, an age. Names of problems, sources
and reasons never become labels.
"""

import math
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    start_http_server,
    write_to_textfile,
)

from trainer.curves import Row, number
from trainer.errors import SaveFailed
from trainer.gain import solve_interval
from trainer.metrics import METRICS

_PREFIX = "codeloop_train_"
_AGES = ("0", "1", "2", "3")
_OLDER = "more"


class PrometheusLog:
    """The newest value of each metric, and what was counted since this process began."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gauges = {
            metric.name: Gauge(_PREFIX + metric.name, metric.text, registry=self.registry)
            for metric in METRICS
        }
        self._iteration = self._gauge("iteration", "The last one that was learned")
        self._version = self._gauge("policy_version", "Of the policy that answers were drawn from")
        self._stage = self._gauge("stage", "Of the recipe, from 0")
        self._heldout = self._gauge("heldout_solve_rate", "Of the last evaluation")
        self._heldout_low = self._gauge("heldout_solve_rate_low", "Lower end of its 95 % interval")
        self._heldout_high = self._gauge(
            "heldout_solve_rate_high", "Upper end of its 95 % interval"
        )
        self._is_running = self._gauge("is_running", "1 from a session's begin to its end")
        self._answers = self._counter("answers", "Answers drawn")
        self._tokens = self._counter("sampled_tokens", "Tokens of answers")
        self._uncounted = self._counter("answers_without_verdict", "By our own fault")
        self._skipped = self._counter("steps_skipped", "Iterations without an optimiser step")
        self._groups = self._counter("groups", "Groups, by state", "state")
        self._phases = self._counter("phase_seconds", "Time by phase", "phase")
        self._trained = self._counter(
            "trained_tokens", "Trained tokens by how many versions old they were", "age"
        )
        self._saves = self._counter("checkpoints", "Checkpoints written")

    def row(self, row: Row) -> None:
        """A row of log.jsonl, as it is written."""
        kind = row.get("type")
        if kind == "session":
            self._is_running.set(1)
        elif kind == "end":
            self._is_running.set(0)
        elif kind == "iteration":
            self._iterated(row)
        elif kind == "evaluation":
            value, interval = solve_interval(row)
            if not math.isnan(value):
                self._heldout.set(value)
                self._heldout_low.set(interval.low)
                self._heldout_high.set(interval.high)
        elif kind == "save":
            self._saves.inc()

    def write(self, path: Path) -> None:
        """As a text file for node_exporter's textfile collector; replaced whole. Raises SaveFailed."""
        try:
            write_to_textfile(str(path), self.registry)
        except OSError as error:
            raise SaveFailed(
                f"{path} cannot be written ({error.strerror}): name another file for the metrics"
            ) from error

    def serve(self, port: int, host: str = "127.0.0.1") -> tuple[WSGIServer, threading.Thread]:
        """At http://host:port/metrics until the server is shut down; port 0 takes a free one.

        Raises SaveFailed for an address that cannot be had.
        """
        try:
            return start_http_server(port, host, self.registry)
        except OSError as error:
            raise SaveFailed(
                f"{host}:{port} cannot serve the run's metrics ({error.strerror}): choose another port"
            ) from error

    def _iterated(self, row: Row) -> None:
        for metric in METRICS:
            value = metric.read(row)
            # nan, not the last value: a series that has stopped must not look alive.
            self._gauges[metric.name].set(value)
        for gauge, name in (
            (self._iteration, "iteration"),
            (self._version, "version"),
            (self._stage, "stage"),
        ):
            gauge.set(number(row, name))
        for counter, name in (
            (self._answers, "samples"),
            (self._tokens, "tokens_total"),
            (self._uncounted, "samples_uncounted"),
        ):
            counter.inc(_counted(number(row, name)))
        self._skipped.inc(bool(row.get("is_skipped")))
        for state in ("live", "dead", "replaced"):
            self._groups.labels(state).inc(_counted(number(row, f"groups_{state}")))
        for phase in ("sampling", "grading", "training", "publishing"):
            seconds = _counted(number(row, "measured", f"{phase}_seconds"))
            self._phases.labels(phase).inc(seconds)
        for age, count in (row.get("staleness") or {}).items():
            self._trained.labels(age if age in _AGES else _OLDER).inc(_counted(float(count)))

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(_PREFIX + name, text, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(_PREFIX + name, text, labels, registry=self.registry)


def _counted(value: float) -> float:
    return 0.0 if math.isnan(value) else value
