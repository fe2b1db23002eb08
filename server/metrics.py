"""Prometheus series of the gateway. Labels are few and bounded: a lane, a served model, a route.

Keys, teams and unknown model names never become labels; per-key numbers live in the database.
The engine's own `vllm:*` series are passed on untouched.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
TOKEN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """One set of series for one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "codeloop_requests",
            "Answered requests; status is the class, as 2xx",
            ("route", "model", "lane", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "codeloop_request_seconds",
            "From the first byte in to the last byte out",
            ("route", "lane"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "codeloop_queue_seconds",
            "Waiting for a slot of the lane",
            ("lane",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.first_token_seconds = Histogram(
            "codeloop_time_to_first_token_seconds",
            "From the first byte in to the first streamed chunk out",
            ("model", "lane"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.inter_token_seconds = Histogram(
            "codeloop_inter_token_seconds",
            "Mean time between the tokens of one stream",
            ("model", "lane"),
            buckets=TOKEN_SECONDS,
            registry=self.registry,
        )
        self.tokens = Counter(
            "codeloop_tokens",
            "Tokens by kind: prompt, cached, completion, reasoning",
            ("model", "lane", "kind"),
            registry=self.registry,
        )
        self.aborts = Counter(
            "codeloop_aborts",
            "Requests that ended before their answer, by who ended them",
            ("lane", "reason"),
            registry=self.registry,
        )
        self.refusals = Counter(
            "codeloop_refusals",
            "Requests refused before they reached an engine, by error code",
            ("code",),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "codeloop_in_flight",
            "Slots held",
            ("model", "lane"),
            registry=self.registry,
        )
        self.waiting = Gauge(
            "codeloop_waiting",
            "Requests waiting for a slot",
            ("model", "lane"),
            registry=self.registry,
        )
        self.engine_restarts = Counter(
            "codeloop_engine_restarts",
            "Engine processes started again after they died",
            ("model",),
            registry=self.registry,
        )
        self.engine_ready = Gauge(
            "codeloop_engine_ready",
            "1 while the engine can answer",
            ("model",),
            registry=self.registry,
        )

    def page(self) -> bytes:
        """The series in Prometheus' text format."""
        return generate_latest(self.registry)
