"""Prometheus series of a node. Labels are few and bounded: a route, a status, a verdict, a language."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class NodeMetrics:
    """One set of series for one node."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "codeloop_sandbox_requests",
            "Answered requests; status 499 is a client that hung up",
            ("route", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "codeloop_sandbox_request_seconds",
            "From a request's headers to the end of its answer",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.outcomes = Counter(
            "codeloop_sandbox_outcomes",
            "Programs that were run, by what they did",
            ("verdict", "language"),
            registry=self.registry,
        )
        self.failures = Counter(
            "codeloop_sandbox_failures",
            "Programs that got no verdict because the node failed",
            registry=self.registry,
        )
        self.cancelled = Counter(
            "codeloop_sandbox_cancelled",
            "Programs that were ended because their client hung up or their batch was over",
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "codeloop_sandbox_queue_seconds",
            "A program's wait for a worker",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.run_seconds = Histogram(
            "codeloop_sandbox_run_seconds",
            "A program on its worker, compiling included",
            ("language",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.waiting = Gauge(
            "codeloop_sandbox_waiting", "Programs that wait for a worker", registry=self.registry
        )
        self.running = Gauge(
            "codeloop_sandbox_running", "Programs on a worker", registry=self.registry
        )
        self.workers = Gauge(
            "codeloop_sandbox_workers", "Programs that can run at once", registry=self.registry
        )

    def page(self) -> bytes:
        """The series in Prometheus' text format."""
        return generate_latest(self.registry)
