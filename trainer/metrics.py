"""The numbers of an iteration by name, for curves, TensorBoard and Prometheus alike."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from trainer.curves import Row, number, ratio

Reader = Callable[[Row], float]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """group: what it tells of. text: its meaning, with its unit or range. read: nan where unknown."""

    name: str
    group: str
    text: str
    read: Reader


def live_share(row: Row) -> float:
    """Groups that teach, of all that were graded in the last round."""
    live = number(row, "groups_live")
    return ratio(live, live + number(row, "groups_dead"))


def uncounted_share(row: Row) -> float:
    """Samples without a verdict, by our own fault."""
    return ratio(number(row, "samples_uncounted"), number(row, "samples"))


def stale_share(row: Row) -> float:
    """Trained tokens that are at least one version old."""
    counts = row.get("staleness") or {}
    total = math.fsum(counts.values())
    return ratio(total - counts.get("0", 0), total)


def idle_share(who: str) -> Reader:
    """Of the iteration's time, `who` being sampler or learner."""
    return lambda row: ratio(
        number(row, "measured", f"{who}_idle_seconds"),
        number(row, "measured", "iteration_seconds"),
    )


def _at(*path: str) -> Reader:
    return lambda row: number(row, *path)


def _metrics() -> tuple[Metric, ...]:
    told: tuple[tuple[str, str, str, Reader], ...] = (
        ("reward", "reward_mean", "Mean reward of the answers", _at("reward_mean")),
        ("reward", "solve_rate", "Share of answers with the full reward", _at("solve_rate")),
        ("reward", "holdout_disagreement", "Share of rewarded answers whose hold-out tests fail",
         _at("holdout_disagreement")),
        ("groups", "live_share", "Share of groups whose rewards differ", live_share),
        ("groups", "replaced_groups", "Dead groups replaced by others", _at("groups_replaced")),
        ("groups", "uncounted_share", "Share of answers without a verdict", uncounted_share),
        ("answers", "answer_tokens", "Mean length of an answer", _at("tokens_mean")),
        ("answers", "answer_tokens_max", "Longest answer", _at("tokens_max")),
        ("answers", "truncated_share", "Share of answers cut at the limit", _at("truncated_share")),
        ("policy", "loss", "Mean loss of the steps", _at("learner", "loss")),
        ("policy", "gradient_norm", "Before clipping", _at("learner", "gradient_norm")),
        ("policy", "learning_rate", "Of the optimiser", _at("learner", "learning_rate")),
        ("policy", "entropy", "Nats a token", _at("learner", "entropy")),
        ("policy", "clip_low_share", "Share of tokens clipped below", _at("learner", "clip_low_share")),
        ("policy", "clip_high_share", "Share of tokens clipped above",
         _at("learner", "clip_high_share")),
        ("policy", "mismatch_kl", "Sampler against learner on the same tokens, nats a token",
         _at("learner", "mismatch_kl")),
        ("policy", "ratio_max", "Largest probability ratio", _at("learner", "ratio_max")),
        ("policy", "stale_share", "Share of trained tokens from an older version", stale_share),
        ("time", "iteration_seconds", "From row to row", _at("measured", "iteration_seconds")),
        ("time", "sampling_seconds", "Drawing answers", _at("measured", "sampling_seconds")),
        ("time", "grading_seconds", "From the last answer to the last reward",
         _at("measured", "grading_seconds")),
        ("time", "training_seconds", "Optimiser steps", _at("measured", "training_seconds")),
        ("time", "publishing_seconds", "Writing the version", _at("measured", "publishing_seconds")),
        ("time", "sampler_idle_share", "Sampler's share of waiting", idle_share("sampler")),
        ("time", "learner_idle_share", "Learner's share of waiting", idle_share("learner")),
        ("time", "sampled_tokens_per_second", "Answer tokens", _at("measured", "tokens_per_second")),
        ("time", "reward_latency_p50_seconds", "Half of the verdicts were as fast",
         _at("measured", "reward_latency_seconds", "p50")),
        ("time", "reward_latency_p90_seconds", "Nine in ten", _at("measured", "reward_latency_seconds", "p90")),
        ("time", "reward_latency_p99_seconds", "99 in 100", _at("measured", "reward_latency_seconds", "p99")),
        ("time", "reward_latency_max_seconds", "The slowest", _at("measured", "reward_latency_seconds", "max")),
        ("memory", "resident_bytes", "Of the trainer's process", _at("measured", "resident_bytes")),
    )  # fmt: skip
    return tuple(
        Metric(name=name, group=group, text=text, read=read) for group, name, text, read in told
    )


METRICS = _metrics()
BY_NAME = {metric.name: metric for metric in METRICS}


def values_of(row: Row) -> dict[str, float]:
    """Those that an iteration's row tells, by name."""
    found = {metric.name: metric.read(row) for metric in METRICS}
    return {name: value for name, value in found.items() if math.isfinite(value)}
