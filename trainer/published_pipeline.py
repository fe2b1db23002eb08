"""What others measured of one-off pipelining, with its source and its baseline, and what we simulate.

Read the basis of a row before quoting it. A PREDICTED row takes the phase times that its source
publishes and simulates their overlap, which the source measured too. A FITTED row's phases are not
published: they are chosen such that both of its numbers come out, which shows that the numbers
can occur together under the mechanisms simulated here, and is no evidence for those phases.
"""

from dataclasses import dataclass
from enum import StrEnum

from trainer.pipeline_fit import Phases, fitted
from trainer.simulate import Schedule, simulate
from trainer.workload import HandOver, Learning, Lengths, Rewards, Sampling, Workload

VERL = "verl docs/advance/one_step_off.md, 2025-07-17"
NEMO = "NeMo RL docs/about/performance-summary.md"
DEEPCODER = "together.ai/blog/deepcoder, 2025-04-08"
NO_REWARDS = Rewards()
MARIN = "marin-community/marin#8955, seed 17, 100 updates"


class Basis(StrEnum):
    """How a row's phase times came about."""

    PREDICTED = "predicted"
    FITTED = "fitted"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One published pair. Baseline and pipelined are seconds of an iteration on the same devices.

    few: phases on the pipeline's split; many: with all devices in each phase. blocking_seconds: of
    an iteration, in which both sides of the split wait (hand-over, logging). seconds_are_units: the
    source gives a ratio only.
    """

    name: str
    source: str
    basis: Basis
    baseline: Schedule
    baseline_seconds: float
    pipelined_seconds: float
    mean_tokens: float
    most_tokens: int
    few: Phases
    many: Phases
    switch_seconds: float
    blocking_seconds: float
    rewards: Rewards = NO_REWARDS
    schedule: Schedule = Schedule.ONE_OFF
    seconds_are_units: bool = False

    @property
    def speedup(self) -> float:
        return self.baseline_seconds / self.pipelined_seconds


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A published row beside what the simulator makes of it."""

    row: Row
    baseline_seconds: float
    pipelined_seconds: float

    @property
    def speedup(self) -> float:
        return self.baseline_seconds / self.pipelined_seconds

    @property
    def worst_error(self) -> float:
        """Largest relative error of the two times and their ratio; of the ratio alone for units."""
        ratio = abs(self.speedup / self.row.speedup - 1)
        if self.row.seconds_are_units:
            return ratio
        return max(
            ratio,
            abs(self.baseline_seconds / self.row.baseline_seconds - 1),
            abs(self.pipelined_seconds / self.row.pipelined_seconds - 1),
        )


@dataclass(frozen=True, kw_only=True)
class OutOfReach:
    """A published number that this simulator does not claim, and why."""

    name: str
    source: str
    numbers: str
    reason: str


def workload_of(row: Row) -> Workload:
    """The row's devices, lengths and rates; the batch size is our assumption, hardly any is told."""
    start = Workload(
        sampler_devices=row.few.sampler_devices,
        learner_devices=row.few.learner_devices,
        prompts=64,
        group=8,
        lengths=Lengths(mean_tokens=row.mean_tokens, variation=0.6, most_tokens=row.most_tokens),
        sampling=Sampling(step_seconds=1, answer_seconds=1),
        learning=Learning(tokens_per_second=1),
        rewards=row.rewards,
        hand_over=HandOver(
            publish_seconds=row.blocking_seconds,
            load_seconds=row.blocking_seconds,
            is_broadcast=True,
            switch_seconds=row.switch_seconds,
        ),
    )
    return fitted(start, row.few, row.many)


def reproduce(row: Row, *, num_iterations: int = 40, seed: int = 0) -> Reproduction:
    """Simulate a row's baseline and its pipeline."""
    workload = workload_of(row)
    baseline, pipelined = (
        simulate(workload, schedule, num_iterations=num_iterations, seed=seed)
        for schedule in (row.baseline, row.schedule)
    )
    return Reproduction(
        row=row,
        baseline_seconds=baseline.iteration_seconds,
        pipelined_seconds=pipelined.iteration_seconds,
    )


def _phases(split: tuple[int, int], sampling: float, training: float) -> Phases:
    return Phases(
        sampler_devices=split[0],
        learner_devices=split[1],
        sampling_seconds=sampling,
        training_seconds=training,
    )


def _verl(
    engine: str, most_tokens: int, seconds: tuple[float, float], few: Phases, many: Phases,
    *, resharding: float, unexplained: float,
) -> Row:  # fmt: skip
    """resharding: gen minus generate_sequences of the colocated run. unexplained: its step minus
    gen, old_log_prob and update_actor; taken to block both sides of the pipeline."""
    return Row(
        name=f"verl, Qwen2.5-Math-7B, {engine}, 16 H20",
        source=VERL,
        basis=Basis.PREDICTED,
        baseline=Schedule.COLOCATED,
        baseline_seconds=seconds[0],
        pipelined_seconds=seconds[1],
        mean_tokens=most_tokens / 4,
        most_tokens=most_tokens,
        few=few,
        many=many,
        switch_seconds=resharding + unexplained,
        blocking_seconds=unexplained,
    )


def _nemo(
    name: str, devices: int, tokens: tuple[int, int], seconds: tuple[float, float],
    training: tuple[float, float], switch: float,
) -> Row:  # fmt: skip
    """training: assumed, on all devices and on half; the sampling phases follow from the sums."""
    half = devices // 2
    together, pipelined = seconds
    blocking = 0.02 * pipelined
    return Row(
        name=f"NeMo RL, {name}",
        source=NEMO,
        basis=Basis.FITTED,
        baseline=Schedule.COLOCATED,
        baseline_seconds=together,
        pipelined_seconds=pipelined,
        mean_tokens=tokens[0],
        most_tokens=tokens[1],
        few=_phases((half, half), pipelined - blocking, training[1]),
        many=_phases((devices, devices), together - training[0] - switch, training[0]),
        switch_seconds=switch,
        blocking_seconds=blocking,
    )


def _deepcoder(what: str, speedup: float, rewards: Rewards) -> Row:
    """Both rows differ in nothing but the rewards; math's colocated iteration is 100 units.

    Batch, split and seconds are not published; the two ratios together ask that rewards take 30 %
    of the colocated iteration of code.
    """
    pipelined = 100 / 1.4
    return Row(
        name=f"DeepCoder-1.5B, {what}, 8 A100",
        source=DEEPCODER,
        basis=Basis.FITTED,
        baseline=Schedule.COLOCATED,
        baseline_seconds=speedup * pipelined,
        pipelined_seconds=pipelined,
        mean_tokens=6_000,
        most_tokens=16_384,
        few=_phases((4, 4), 69.0, 66.0),
        many=_phases((8, 8), 60.0, 33.0),
        switch_seconds=7.0,
        blocking_seconds=1.0,
        rewards=rewards,
        schedule=Schedule.ONE_OFF_INTERLEAVED,
        seconds_are_units=True,
    )


def _marin(what: str, seconds: tuple[float, float], copies: float) -> Row:
    """copies: of weights, seconds an update, blocking both sides; the phases follow."""
    together, pipelined = seconds[0] - copies, seconds[1] - copies
    sampling, training = pipelined, together - pipelined
    return Row(
        name=f"marin, {what}, 67B, 8 + 32 H100",
        source=MARIN,
        basis=Basis.FITTED,
        baseline=Schedule.SAME_SPLIT,
        baseline_seconds=seconds[0],
        pipelined_seconds=seconds[1],
        mean_tokens=1_000,
        most_tokens=4_096,
        few=_phases((8, 32), sampling, training),
        # Only the split is published; what all devices would do plays no part in this row.
        many=_phases((40, 40), 0.6 * sampling, 0.8 * training),
        switch_seconds=0.0,
        blocking_seconds=copies,
    )


ROWS = (
    _verl(
        "FSDP2", 20_480, (749, 520), _phases((4, 12), 458, 108 + 337), _phases((16, 16), 247, 88 + 286),
        resharding=74, unexplained=54,
    ),
    _verl(
        "Megatron", 8_192, (699, 566), _phases((4, 12), 501, 120 + 347), _phases((16, 16), 162, 119 + 344),
        resharding=45, unexplained=29,
    ),
    _deepcoder("math", 1.4, Rewards()),
    _deepcoder("code", 2.0, Rewards(seconds=5.0, variation=1.0, workers=64)),
    _nemo("Qwen3-30B-A3B, 32 H100", 32, (3_200, 4_096), (192, 152), (60, 110), 10),
    _nemo("Qwen3-30B-A3B, 16 GB200", 16, (3_200, 4_096), (221, 301), (50, 100), 10),
    _nemo("Qwen3-30B-A3B, 32 H100 (v0.4)", 32, (3_156, 4_096), (225, 244), (70, 130), 10),
    _nemo("Llama-3.1-8B, 16 H100 (v0.4)", 16, (1_100, 4_096), (97.7, 74.6), (28, 50), 5),
    _nemo("DeepSeek-V3, 512 H100", 512, (745, 1_536), (111, 64.1), (45, 52), 10),
    _nemo("DeepSeek-V3, 256 GB200", 256, (745, 1_536), (98.7, 61.7), (38, 48), 8),
    _nemo("Qwen3-235B, 256 H100", 256, (5_680, 8_192), (312, 231), (100, 170), 15),
    _nemo("Qwen3-235B, 128 GB200", 128, (5_680, 8_192), (345, 278), (110, 190), 15),
    _marin("main", (85.24, 55.83), 20.7),
    _marin("branch", (62.35, 43.60), 3.5),
)  # fmt: skip
"""The rows with one step of staleness. NeMo's pairs also change the parallel layout in part."""

OUT_OF_REACH = (
    OutOfReach(
        name="marin, staleness 2 to 4",
        source=MARIN,
        numbers="5,093 / 4,913 / 4,301 s against 8,524 s",
        reason="its samplers run on across batches, so a batch's tail costs nothing",
    ),
    OutOfReach(
        name="verl V1, 35B-A3B, 4 nodes",
        source="verl V1, separate_async and colocate_async",
        numbers="22.79 h to 14.72 and 14.10 h (1.55x, 1.62x)",
        reason="up to 8 versions behind, with partial rollouts",
    ),
    OutOfReach(
        name="verl fully_async, 7B, 128 H20",
        source="verl fully_async",
        numbers="about 1.6x streaming, 2.35x to 2.67x stale and partial",
        reason="streams answers to the learner without batches",
    ),
    OutOfReach(
        name="AReaL v0.3, 1.5B and 7B",
        source="AReaL blog/AReaL_v0_3.md",
        numbers="41.0 to 14.8 h (2.77x), 57.7 to 25.4 h (2.27x)",
        reason="interrupts answers to load weights, staleness up to 8",
    ),
)
"""Published, and not the mechanism simulated here."""
