"""What an exchange leaves behind, however it ended: a usage row, metrics, a line of the log, and a word
to the comparison of a canary with the live version."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from server.answer_tail import AnswerTail
from server.auth import Caller
from server.catalog import Choice, ServedModel
from server.engine import TokenCount
from server.metering import Meter, Outcome, Usage
from server.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """An exchange that has ended.

    model, choice: what answered, or was to. status: 0 for a client that left before there was one.
    tokens: None where nothing was counted. is_admitted: whether it had a slot of its lane.
    first_at_seconds, last_at_seconds, arrived_seconds: on the monotonic clock.
    """

    request_id: str
    route: str
    caller: Caller
    arrived_seconds: float
    model: ServedModel
    choice: Choice
    tail: AnswerTail | None
    status: int
    outcome: Outcome
    tokens: TokenCount | None
    is_admitted: bool
    queue_seconds: float
    first_at_seconds: float | None
    last_at_seconds: float

    @property
    def first_seconds(self) -> float | None:
        """From its arrival to the first token of a stream."""
        first = self.first_at_seconds
        return None if first is None else first - self.arrived_seconds

    @property
    def token_seconds(self) -> float | None:
        """Between two tokens of a stream, on average."""
        if self.first_at_seconds is None or self.tokens is None or self.tokens.completion <= 1:
            return None
        return (self.last_at_seconds - self.first_at_seconds) / (self.tokens.completion - 1)


def settle(ended: Settlement, meter: Meter, metrics: Metrics) -> None:
    """Record it."""
    # A version that serves users is its model's; an adapter that a trainer named has its own name.
    public = ended.model.parent if ended.model.role == "serving" else None
    lane, model = ended.caller.lane, public or ended.model.name
    total_seconds = time.monotonic() - ended.arrived_seconds
    status = ended.status or 499  # nginx's number for a client that left before any answer
    metrics.requests.labels(ended.route, model, lane, f"{status // 100}xx").inc()
    metrics.request_seconds.labels(ended.route, lane).observe(total_seconds)
    if ended.is_admitted:
        _count(ended, metrics, model, lane)
        usage = Usage(
            request_id=ended.request_id,
            key_id=ended.caller.key.id,
            route=ended.route,
            model=model,
            lane=lane,
            status=status,
            outcome=ended.outcome,
            tokens=ended.tokens or TokenCount(),
            queue_seconds=ended.queue_seconds,
            first_token_seconds=ended.first_seconds,
            total_seconds=total_seconds,
        )
        meter.record(usage)
        log.info("request", extra=_log_fields(usage))
    _tell_canary(ended)


def _count(ended: Settlement, metrics: Metrics, model: str, lane: str) -> None:
    metrics.queue_seconds.labels(lane).observe(ended.queue_seconds)
    for kind in ("prompt", "cached", "completion", "reasoning"):
        if count := getattr(ended.tokens or TokenCount(), kind):
            metrics.tokens.labels(model, lane, kind).inc(count)
    if ended.outcome in (Outcome.ABORTED, Outcome.TIMED_OUT, Outcome.FAILED):
        metrics.aborts.labels(lane, ended.outcome.value).inc()
    if ended.first_seconds is not None:
        metrics.first_token_seconds.labels(model, lane).observe(ended.first_seconds)
    if ended.token_seconds is not None:
        metrics.inter_token_seconds.labels(model, lane).observe(ended.token_seconds)


def _tell_canary(ended: Settlement) -> None:
    """Tell the canary's comparison, unless the client left."""
    watch, tail = ended.choice.watch, ended.tail
    # A request at fault says nothing of a version; an engine that fails at it does.
    is_at_fault = ended.outcome is Outcome.REFUSED and ended.status < 500
    if watch is None or tail is None or is_at_fault or ended.outcome is Outcome.ABORTED:
        return
    watch.observe(
        ended.choice.arm,
        tail.observation(
            is_failed=ended.outcome is not Outcome.COMPLETED,
            first_seconds=ended.first_seconds,
            token_seconds=ended.token_seconds,
        ),
    )


def _log_fields(usage: Usage) -> Mapping[str, object]:
    return {
        "request_id": usage.request_id,
        "route": usage.route,
        "model": usage.model,
        "lane": usage.lane,
        "status": usage.status,
        "outcome": usage.outcome.value,
        "prompt_tokens": usage.tokens.prompt,
        "completion_tokens": usage.tokens.completion,
        "seconds": round(usage.total_seconds, 4),
    }
