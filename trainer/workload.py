"""What an iteration asks of samplers, learners and rewards: the inputs of the pipeline's simulator.

Times are seconds, rates are of one device or one sampler, lengths are tokens of an answer.
"""

import math
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

from trainer.errors import WorkloadInvalid

_NORMAL = NormalDist()


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise WorkloadInvalid(f"{name} is {value:g}: it must be positive; give a larger one")


def _not_negative(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise WorkloadInvalid(f"{name} is {value:g}: it must not be negative; give 0 for none")


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise WorkloadInvalid(f"{name} is {value}: there must be at least 1; raise it")


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Lengths of answers: log-normal, cut at the context's end.

    mean_tokens: of the lengths as they come out, cut ones included. variation: standard deviation
    over mean of the log-normal before the cut; 0 makes every answer equally long, and long
    reasoning has 0.6 to 1.4. most_tokens: where an answer is cut.
    """

    mean_tokens: float
    variation: float = 0.0
    most_tokens: int

    def __post_init__(self) -> None:
        _positive("mean_tokens", self.mean_tokens)
        _not_negative("variation", self.variation)
        # Close to the cut no log-normal has that mean: nearly all answers would be cut.
        if self.mean_tokens > (0.95 if self.variation else 1.0) * self.most_tokens:
            raise WorkloadInvalid(
                f"mean_tokens is {self.mean_tokens:g} with answers cut at {self.most_tokens:,}: the"
                " mean of a spread must stay below 95 % of the cut; raise most_tokens or lower"
                " mean_tokens"
            )

    @property
    def spread(self) -> float:
        """Standard deviation of the logarithm."""
        return math.sqrt(math.log1p(self.variation**2))

    @property
    def location(self) -> float:
        """Mean of the logarithm, such that the mean after the cut is mean_tokens; by bisection."""
        if not self.variation:
            return math.log(self.mean_tokens)
        low = math.log(self.mean_tokens)
        low, high = low - self.spread**2, low + 60
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if self._mean(middle) < self.mean_tokens else (low, middle)
        return (low + high) / 2

    def _mean(self, location: float) -> float:
        """E[min(X, cut)] of a log-normal X: the partial expectation plus the cut's own share."""
        spread, cut = self.spread, math.log(self.most_tokens)
        below = _NORMAL.cdf((cut - location - spread**2) / spread)
        above = 1 - _NORMAL.cdf((cut - location) / spread)
        return math.exp(min(location + spread**2 / 2, 700)) * below + self.most_tokens * above


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How fast a sampler decodes: one token for each active answer in every step.

    A step takes step_seconds + answer_seconds x active answers: the first is reading the weights,
    the second is reading one answer's cache and computing its token. devices_each: devices that
    make one sampler (tensor parallel). most_active: answers at once in one sampler; the others
    wait in one queue for all samplers.
    """

    step_seconds: float
    answer_seconds: float
    devices_each: int = 1
    most_active: int = 1 << 20

    def __post_init__(self) -> None:
        _not_negative("step_seconds", self.step_seconds)
        _not_negative("answer_seconds", self.answer_seconds)
        _positive("step_seconds + answer_seconds", self.step_seconds + self.answer_seconds)
        _at_least_one("devices_each", self.devices_each)
        _at_least_one("most_active", self.most_active)


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How fast learners train, log-probs and optimiser included.

    tokens_per_second: of answers, one device. fixed_seconds: of an iteration, which more devices
    do not shorten.
    """

    tokens_per_second: float
    fixed_seconds: float = 0.0

    def __post_init__(self) -> None:
        _positive("tokens_per_second", self.tokens_per_second)
        _not_negative("fixed_seconds", self.fixed_seconds)


@dataclass(frozen=True, kw_only=True)
class Rewards:
    """What it takes to run one answer against its tests, on hosts beside the devices.

    seconds: mean of one answer. variation: as of lengths. workers: answers judged at once.
    """

    seconds: float = 0.0
    variation: float = 0.0
    workers: int = 64

    def __post_init__(self) -> None:
        _not_negative("seconds", self.seconds)
        _not_negative("variation", self.variation)
        _at_least_one("workers", self.workers)


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """What it costs to bring new weights to the samplers, once an iteration.

    publish_seconds: the learners are busy writing or sending. load_seconds: the samplers are busy
    reading. is_broadcast: both happen at once, as over NCCL; else the samplers read what has been
    published in full. switch_seconds: of the colocated schedule, both ways: resharding, offloading,
    waking the engine.
    """

    publish_seconds: float = 0.0
    load_seconds: float = 0.0
    is_broadcast: bool = False
    switch_seconds: float = 0.0

    def __post_init__(self) -> None:
        for name in ("publish_seconds", "load_seconds", "switch_seconds"):
            _not_negative(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One iteration: answers to sample, judge and train on, and the devices that do it.

    sampler_devices, learner_devices: the split; the colocated schedule gives all of them to each
    phase in turn. prompts x group: answers of an iteration.
    """

    sampler_devices: int
    learner_devices: int
    prompts: int
    group: int
    lengths: Lengths
    sampling: Sampling
    learning: Learning
    rewards: Rewards = Rewards()
    hand_over: HandOver = HandOver()

    def __post_init__(self) -> None:
        _at_least_one("sampler_devices", self.sampler_devices)
        _at_least_one("learner_devices", self.learner_devices)
        _at_least_one("prompts", self.prompts)
        if self.group < 2:
            raise WorkloadInvalid(
                f"group is {self.group}: a group needs at least 2 answers, for each is measured"
                " against the others; raise it"
            )
        if self.sampler_devices % self.sampling.devices_each:
            raise WorkloadInvalid(
                f"sampler_devices is {self.sampler_devices}: samplers of"
                f" {self.sampling.devices_each} devices must fill them; give a multiple"
            )

    @property
    def num_devices(self) -> int:
        return self.sampler_devices + self.learner_devices

    @property
    def num_answers(self) -> int:
        return self.prompts * self.group


def draw_log_normal(source: Random, location: float, spread: float) -> float:
    """One value whose logarithm has that mean and standard deviation."""
    return math.exp(location + spread * source.gauss(0, 1)) if spread else math.exp(location)
