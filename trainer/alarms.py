"""What a person should not miss in a run, each with what to do about it.

Levels are named constants with their source; a run of few iterations raises only what needs no trend.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.shown import percent, points
from trainer.curves import WINDOW, Row, RunLog, mean, number, ratio
from trainer.errors import EvaluationsDiffer
from trainer.gain import gain
from trainer.metrics import live_share, stale_share, uncounted_share

MISMATCH_LEVEL = 5e-3
"""KL a token of sampler against learner: bfloat16 on both sides gives 1e-3 to 2e-3, a defect more."""
STALE_MISMATCH_LEVEL = 2e-2
"""The same where tokens are a version old: what the policy moved meanwhile counts, too."""
LIVE_LEVEL = 0.2
"""Below this share of live groups, four in five samples teach nothing."""
ENTROPY_LEVEL = 1.0
"""Nats a token: rising entropy is fine below it (rllm-org/rllm#116)."""
CUT_LEVEL = 0.2
CLIP_LEVEL = 0.2
TRANSFER_RISE = 0.1
HACKING_RISE = 0.05
HACKING_Z = 3.0
UNCOUNTED_LEVEL = 0.01
IDLE_LEVEL = 0.5
DOUBLING_ITERATIONS = 50
"""Entropy that doubles within so many iterations grows exponentially for all that matters."""
_TREND = 10
"""Iterations that a trend needs at least."""
_GROWTH = 0.1
"""Of memory, over 100 iterations, as a share of what is used now."""
_SETTLED = 5
"""Iterations after which buffers have their sizes."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """text: what was found, with its number and its level. remedy: what to do. is_grave: figures of the
    run may mean something else than they say."""

    name: str
    text: str
    remedy: str
    is_grave: bool = False


def alarms(log: RunLog) -> tuple[Alarm, ...]:
    """The gravest first; empty for a run that looks healthy."""
    found = [one for look in _LOOKS for one in look(log)]
    return tuple(sorted(found, key=lambda one: not one.is_grave))


def _last(log: RunLog, read: Callable[[Row], float]) -> float:
    """Mean of the last iterations."""
    return mean(read(row) for row in log.iterations[-WINDOW:])


def _first(log: RunLog, read: Callable[[Row], float]) -> float:
    return mean(read(row) for row in log.iterations[:WINDOW])


def _learner(name: str) -> Callable[[Row], float]:
    return lambda row: number(row, "learner", name)


def _mismatch(log: RunLog) -> Iterator[Alarm]:
    last, probe = (
        _last(log, _learner("mismatch_kl")),
        mean(number(r, "kl") for r in log.probes[-1:]),
    )
    level = STALE_MISMATCH_LEVEL if _last(log, stale_share) > 0 else MISMATCH_LEVEL
    if last > level or probe > MISMATCH_LEVEL:
        worst, passed = (last, level) if last > level else (probe, MISMATCH_LEVEL)
        yield Alarm(
            name="mismatch",
            text=f"Sampler and learner disagree by {worst:.2g} nats a token, above {passed:g}.",
            remedy="Look whether both use the same weights, template, temperature and stop handling; then"
            ' set objective.correction to "truncated_token", or learn in float32.',
            is_grave=True,
        )


def _entropy(log: RunLog) -> Iterator[Alarm]:
    read = _learner("entropy")
    first, last = _first(log, read), _last(log, read)
    doubling = _doubling(log.iterations[-4 * _TREND :], read)
    if last > ENTROPY_LEVEL and last > 1.2 * first:
        yield Alarm(
            name="entropy",
            text=f"Entropy is {last:.2f} nats a token, up from {first:.2f} and above {ENTROPY_LEVEL:g}.",
            remedy="Go back to a checkpoint before the rise; lower objective.clip_high or"
            " optimiser.learning_rate, and keep objective.entropy_coefficient at 0.",
            is_grave=True,
        )
    elif doubling < DOUBLING_ITERATIONS:
        yield Alarm(
            name="entropy",
            text=f"Entropy grows exponentially: it doubles every {doubling:.0f} iterations, and is"
            f" {last:.2f} nats a token.",
            remedy="Keep objective.entropy_coefficient at 0; lower objective.clip_high or the learning"
            " rate before it passes 1.",
            is_grave=True,
        )
    elif len(log.iterations) >= _TREND and last < 0.1 * first:
        yield Alarm(
            name="entropy",
            text=f"Entropy fell from {first:.2g} to {last:.2g} nats a token: answers hardly differ.",
            remedy="Raise objective.clip_high or the temperature, or add problems; groups die from here"
            " on.",
        )


def _doubling(rows: Sequence[Row], read: Callable[[Row], float]) -> float:
    """Iterations in which a value doubles; inf where its logarithm does not rise along a line."""
    known = [(row["iteration"], read(row)) for row in rows]
    known = [(x, math.log(y)) for x, y in known if y > 0]
    if len(known) < _TREND:
        return math.inf
    x, y = np.array(known).T
    slope = float(np.polyfit(x, y, 1)[0])
    fits = float(np.corrcoef(x, y)[0, 1]) ** 2 > 0.8 if y.std() > 0 else False
    # A fifth at least: less is within what entropy wanders by.
    return math.log(2) / slope if fits and slope * (x[-1] - x[0]) > math.log(1.2) else math.inf


def _hacking(log: RunLog) -> Iterator[Alarm]:
    half = len(log.iterations) // 2
    size = min(half, 2 * WINDOW)
    early, late = (
        _failed(log.iterations[:size]),
        _failed(log.iterations[len(log.iterations) - size :]),
    )
    if not early[1] or not late[1]:
        return
    old, new = early[0] / early[1], late[0] / late[1]
    pooled = (early[0] + late[0]) / (early[1] + late[1])
    error = math.sqrt(pooled * (1 - pooled) * (1 / early[1] + 1 / late[1]))
    if new - old > HACKING_RISE and new - old > HACKING_Z * error:
        yield Alarm(
            name="reward hacking",
            text=f"Of the rewarded answers, {percent(new)} % fail tests that never reward, up from"
            f" {percent(old)} %: the model learns the tests instead of the problems.",
            remedy="Read the samples below; give those problems more tests, or take them out with"
            " codeloop train data build, and go back to a checkpoint before the rise.",
            is_grave=True,
        )


def _failed(rows: Sequence[Row]) -> tuple[float, float]:
    """Rewarded answers whose hold-out failed, and all that were looked at."""
    pairs = [(number(row, "holdout_disagreement"), number(row, "holdout_checked")) for row in rows]
    known = [(share, count) for share, count in pairs if count > 0 and not math.isnan(share)]
    return sum(share * count for share, count in known), sum(count for _, count in known)


def _live(log: RunLog) -> Iterator[Alarm]:
    last = _last(log, live_share)
    if last < LIVE_LEVEL:
        yield Alarm(
            name="dead groups",
            text=f"Only {percent(last, 0)} % of the last groups had two different rewards, below"
            f" {percent(LIVE_LEVEL, 0)} %.",
            remedy="Set data.online_filter, or batch.dead_groups to 'resample'; take easier or harder"
            " problems, or more samples a prompt.",
        )


def _memory(log: RunLog) -> Iterator[Alarm]:
    last_start = log.sessions[-1].get("resumed_from") or 0
    points_ = [
        (float(row["iteration"]), number(row, "measured", "resident_bytes"))
        for row in log.iterations
        if row["iteration"] > last_start + _SETTLED
    ]
    known = np.array([(x, y) for x, y in points_ if not math.isnan(y)])
    if len(known) < _TREND:
        return
    slope = float(np.polyfit(known[:, 0], known[:, 1], 1)[0])
    rises = known[:, 1].std() > 0 and float(np.corrcoef(known.T)[0, 1]) > 0.8
    if rises and 100 * slope > _GROWTH * known[-1, 1]:
        yield Alarm(
            name="memory",
            text=f"Resident memory grows by {slope / 2**20:.0f} MiB an iteration, and is"
            f" {known[-1, 1] / 2**30:.1f} GiB.",
            remedy="Lower optimiser.tokens_per_micro_batch; resume from time to time, which frees it.",
        )


def _answers(log: RunLog) -> Iterator[Alarm]:
    cut = _last(log, lambda row: number(row, "truncated_share"))
    if cut > CUT_LEVEL:
        yield Alarm(
            name="truncation",
            text=f"{percent(cut, 0)} % of the last answers were cut at the limit.",
            remedy="Raise drawing.max_new_tokens, or add a stage with more.",
        )
    missing = mean(uncounted_share(row) for row in log.iterations)
    if missing > UNCOUNTED_LEVEL:
        yield Alarm(
            name="infrastructure",
            text=f"{percent(missing)} % of the answers have no verdict by our own fault.",
            remedy="They are in no group and no figure; see codeloop sandbox probe and the machine's load.",
            is_grave=missing > 10 * UNCOUNTED_LEVEL,
        )


def _clipping(log: RunLog) -> Iterator[Alarm]:
    high, low = _last(log, _learner("clip_high_share")), _last(log, _learner("clip_low_share"))
    if high + low > CLIP_LEVEL:
        yield Alarm(
            name="clipping",
            text=f"{percent(high + low, 0)} % of the last tokens were clipped and taught nothing.",
            remedy="Lower the learning rate or batch.mini_batches: the policy moves too far in an"
            " iteration.",
        )
    skipped = [row["iteration"] for row in log.iterations if row.get("is_skipped")]
    if skipped:
        yield Alarm(
            name="no step",
            text=f"{len(skipped)} iterations made no step, the last being {skipped[-1]}: all groups were"
            " dead or left out.",
            remedy="See dead groups; limits.dead_iterations ends a run that stays so.",
        )


def _idle(log: RunLog) -> Iterator[Alarm]:
    # Without a pipeline each waits for the other, as the recipe says.
    if not _last(log, stale_share) > 0:
        return
    for who, other in (("sampler", "learning"), ("learner", "sampling")):
        idle = ratio(
            sum(_known(number(r, "measured", f"{who}_idle_seconds")) for r in log.iterations),
            sum(_known(number(r, "measured", "iteration_seconds")) for r in log.iterations),
        )
        if idle > IDLE_LEVEL and len(log.iterations) >= _TREND:
            yield Alarm(
                name="idle",
                text=f"The {who} waited {percent(idle, 0)} % of the time for {other}.",
                remedy="If the two have devices of their own, give the other more of them: codeloop train"
                " plan says how many. Where they take turns on one, that is how it is.",
            )


def _known(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _no_gain(log: RunLog) -> Iterator[Alarm]:
    pair, rise = log.first_and_last, _rise(log)
    if pair is None or rise < TRANSFER_RISE:
        return
    try:
        found = gain(*pair)
    except EvaluationsDiffer:
        return
    if found.interval.low <= 0:
        yield Alarm(
            name="no transfer",
            text=f"Prompts in training are solved {points(rise)} points more often, held-out ones"
            f" {points(found.difference)}, which may be none.",
            remedy="The rise is of the prompts asked, or learned by heart: add problems, stop earlier, or"
            f" evaluate more kinds ({found.num_kinds} show {100 * found.least_difference:.0f} points).",
        )


def _rise(log: RunLog) -> float:
    """Of the solve rate in training, first to last iterations; 0 where prompts may have differed by so
    much: a prompt is one draw, however many answers it has.
    """
    first = _first(log, lambda row: number(row, "solve_rate"))
    last = _last(log, lambda row: number(row, "solve_rate"))
    prompts = sum(_known(number(row, "prompts")) for row in log.iterations[-WINDOW:])
    middle = (first + last) / 2
    error = math.sqrt(2 * middle * (1 - middle) / prompts) if prompts else math.inf
    return last - first if last - first > 2 * error else 0.0


_LOOKS = (
    _mismatch, _hacking, _entropy, _answers, _no_gain, _live, _clipping, _memory, _idle,
)  # fmt: skip
