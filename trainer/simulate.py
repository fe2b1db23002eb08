"""A discrete-event simulation of the training pipeline: what each schedule makes of a workload.

Events: an answer ends on a sampler and the next in the queue takes its place; a reward worker takes
an answer; a batch is scored and queued; the learner takes it; new weights reach the samplers.

Batches do not overlap on the samplers, as in one-off pipelining: the first answer of one starts
after the last of the one before. Nothing is drawn but lengths and reward times, and every schedule
sees the same ones, so differences between schedules are theirs alone. Sources: DeepCoder
(together.ai/blog/deepcoder) for the schedules; measurements are in trainer.published_pipeline.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from trainer.errors import WorkloadInvalid
from trainer.workload import Rewards, Sampling, Workload, draw_log_normal


class Schedule(StrEnum):
    """Who waits for whom.

    COLOCATED: all devices sample, then all train; rewards between. SAME_SPLIT: the split of the
    pipeline, one half idle while the other works. ONE_OFF: samplers make and score batch i + 1 while
    learners train on batch i. ONE_OFF_INTERLEAVED: the same, and an answer is scored as soon as it
    ends, so that samplers never wait for rewards.
    """

    COLOCATED = "colocated"
    SAME_SPLIT = "same-split"
    ONE_OFF = "one-off"
    ONE_OFF_INTERLEAVED = "one-off-interleaved"

    @property
    def is_pipelined(self) -> bool:
        return self in (Schedule.ONE_OFF, Schedule.ONE_OFF_INTERLEAVED)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One iteration's answers on their way; all times since the start of the run.

    sampled_with: updates the samplers' weights had seen when the first answer began. num_trained:
    answers that the learner was given. sampler_busy_seconds: sum over samplers, each until its own
    last answer ended.
    """

    index: int
    sampled_with: int
    num_trained: int
    sampling_started: float
    sampling_ended: float
    scored: float
    training_started: float
    training_ended: float
    sampler_busy_seconds: float

    @property
    def staleness(self) -> int:
        """Updates between the weights that sampled this batch and those it updates."""
        return self.index - self.sampled_with


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What one schedule did with a workload.

    num_devices: that were held, busy or not. sampler_idle, learner_idle: share of those devices'
    time, filling and draining included, in which they neither sampled nor trained; colocated devices
    do both, so both shares are the same.
    """

    schedule: Schedule
    num_devices: int
    batches: tuple[Batch, ...]
    sampler_idle: float
    learner_idle: float

    @property
    def wall_seconds(self) -> float:
        """From the first answer to the last update; the last weights are not handed over."""
        return self.batches[-1].training_ended

    @property
    def iteration_seconds(self) -> float:
        """Between two updates, once the pipeline is full."""
        if len(self.batches) == 1:
            return self.wall_seconds
        return (self.wall_seconds - self.batches[0].training_ended) / (len(self.batches) - 1)

    @property
    def device_seconds(self) -> float:
        """What an iteration costs: devices held times seconds."""
        return self.num_devices * self.iteration_seconds

    @property
    def sampling_seconds(self) -> float:
        """Mean of a batch."""
        return _mean([b.sampling_ended - b.sampling_started for b in self.batches])

    @property
    def training_seconds(self) -> float:
        """Mean of a batch."""
        return _mean([b.training_ended - b.training_started for b in self.batches])

    @property
    def reward_seconds(self) -> float:
        """Mean time from a batch's last answer until all of it is scored."""
        return _mean([b.scored - b.sampling_ended for b in self.batches])


def simulate(
    workload: Workload,
    schedule: Schedule,
    *,
    num_iterations: int = 100,
    seed: int = 0,
    max_staleness: int = 1,
) -> Simulation:
    """Run a workload through one schedule.

    max_staleness: of the pipelined schedules, how many updates a batch may be behind; it bounds the
    queue of scored batches too. Raises WorkloadInvalid.
    """
    if num_iterations < 1 or max_staleness < 1:
        raise WorkloadInvalid(
            f"num_iterations is {num_iterations} and max_staleness {max_staleness}: both must be at"
            " least 1; a pipeline without staleness is the same-split schedule"
        )
    batches = tuple(_run(workload, schedule, num_iterations, seed, max_staleness))
    wall = batches[-1].training_ended
    sampling = workload.sampling
    # A sampler that has run dry is idle, though its batch is not finished.
    sampled = sum(b.sampler_busy_seconds for b in batches) * sampling.devices_each
    trained = sum(b.training_ended - b.training_started for b in batches)
    devices = workload.num_devices
    if schedule is Schedule.COLOCATED:
        idle = 1 - (sampled + trained * devices) / (wall * devices)
        idles = idle, idle
    else:
        idles = 1 - sampled / (wall * workload.sampler_devices), 1 - trained / wall
    return Simulation(
        schedule=schedule,
        num_devices=devices,
        batches=batches,
        # Sums of many floats may end a hair above the whole.
        sampler_idle=max(0.0, idles[0]),
        learner_idle=max(0.0, idles[1]),
    )


def _run(
    workload: Workload, schedule: Schedule, num_iterations: int, seed: int, max_staleness: int
) -> Iterator[Batch]:
    costs = workload.hand_over
    is_colocated = schedule is Schedule.COLOCATED
    num_sampling = workload.num_devices if is_colocated else workload.sampler_devices
    num_learning = workload.num_devices if is_colocated else workload.learner_devices
    staleness = max_staleness if schedule.is_pipelined else 0
    pool = _RewardPool(workload.rewards, seed)
    ready = [0.0]  # when the weights after so many updates may be loaded
    weights, samplers_free, learners_free = 0, 0.0, 0.0
    for index, lengths in enumerate(draw_lengths(workload, num_iterations, seed)):
        # The bound: this batch waits until it is at most `staleness` updates behind.
        start = max(samplers_free, ready[max(0, index - staleness)])
        newest = max(updates for updates in range(weights, index + 1) if ready[updates] <= start)
        if newest > weights:
            weights = newest
            start += costs.switch_seconds if is_colocated else costs.load_seconds
        ends, busy = finish_seconds(
            lengths, num_sampling // workload.sampling.devices_each, workload.sampling
        )
        sampled = start + max(ends)
        if schedule is Schedule.ONE_OFF_INTERLEAVED:
            scored = max(sampled, pool.score([start + end for end in ends]))
            samplers_free = sampled
        else:
            samplers_free = scored = pool.score([sampled] * len(ends))
        begin = max(scored, learners_free)
        end = begin + training_seconds(workload, sum(lengths), num_learning)
        learners_free = end if is_colocated else end + costs.publish_seconds
        ready.append(end if is_colocated or costs.is_broadcast else learners_free)
        yield Batch(
            index=index,
            sampled_with=weights,
            num_trained=len(ends),
            sampling_started=start,
            sampling_ended=sampled,
            scored=scored,
            training_started=begin,
            training_ended=end,
            sampler_busy_seconds=busy,
        )


def draw_lengths(workload: Workload, num_iterations: int, seed: int) -> Iterator[list[int]]:
    """The answers' lengths, one list an iteration; the same whatever else the workload says."""
    source, lengths = Random(f"lengths {seed}"), workload.lengths
    location, spread, most = lengths.location, lengths.spread, lengths.most_tokens
    gauss, exp = source.gauss, math.exp
    for _ in range(num_iterations):
        if spread:
            yield [
                max(1, min(most, round(exp(min(location + spread * gauss(), 700.0)))))
                for _ in range(workload.num_answers)
            ]
        else:
            yield [max(1, round(lengths.mean_tokens))] * workload.num_answers


def finish_seconds(
    lengths: Sequence[int], num_samplers: int, sampling: Sampling
) -> tuple[list[float], float]:
    """When each answer of a batch ends, in order of ending, and the samplers' busy time in sum.

    Between two ends the number of active answers of a sampler is constant, and so is its pace: a
    sampler is a clock of tokens, and an answer ends when that clock has moved on by its length.
    """
    if num_samplers < 1:
        raise WorkloadInvalid(
            f"{num_samplers} samplers fit the devices: there must be at least 1; give the samplers"
            f" {sampling.devices_each} devices or more"
        )
    waiting = iter(lengths[num_samplers * sampling.most_active :])
    active = [
        list(lengths[first : num_samplers * sampling.most_active : num_samplers])
        for first in range(min(num_samplers, len(lengths)))
    ]
    events: list[tuple[float, int]] = []
    clocks = [0] * len(active)
    step, each = sampling.step_seconds, sampling.answer_seconds
    for sampler, ends in enumerate(active):
        heapq.heapify(ends)
        events.append((ends[0] * (step + each * len(ends)), sampler))
    heapq.heapify(events)
    finished: list[float] = []
    busy = 0.0
    while events:
        now, sampler = events[0]
        ends = active[sampler]
        clocks[sampler] = clock = ends[0]
        finished.append(now)
        following = next(waiting, None)
        if following is None:
            heapq.heappop(ends)
        else:
            heapq.heapreplace(ends, clock + following)
        if ends:
            later = now + (ends[0] - clock) * (step + each * len(ends))
            heapq.heapreplace(events, (later, sampler))
        else:
            heapq.heappop(events)
            busy += now
    return finished, busy


def training_seconds(workload: Workload, num_tokens: int, num_devices: int) -> float:
    """Of one batch on so many devices."""
    learning = workload.learning
    return learning.fixed_seconds + num_tokens / (learning.tokens_per_second * num_devices)


class _RewardPool:
    """Workers that judge answers in the order in which these end; busy ones carry over."""

    def __init__(self, rewards: Rewards, seed: int) -> None:
        self._rewards = rewards
        self._source = Random(f"rewards {seed}")
        self._spread = math.sqrt(math.log1p(rewards.variation**2))
        self._free = [0.0] * rewards.workers

    def score(self, ends: Sequence[float]) -> float:
        """When the last of these answers has its reward; ends: sorted."""
        mean, free, spread = self._rewards.seconds, self._free, self._spread
        if not mean:
            return ends[-1]
        location, last = math.log(mean) - spread**2 / 2, 0.0
        for end in ends:
            scored = max(end, free[0]) + draw_log_normal(self._source, location, spread)
            heapq.heapreplace(free, scored)
            last = max(last, scored)
        return last


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
