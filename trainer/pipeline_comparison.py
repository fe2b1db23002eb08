"""One workload under every schedule, with a baseline named beside every ratio."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from trainer.pipeline_bounds import ideal_iteration_seconds
from trainer.simulate import Schedule, Simulation, simulate
from trainer.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """colocated_on_half: the colocated schedule on half the devices, or None where none is left.

    It is the third honest baseline: a synchronous run that no longer speeds up with devices loses to
    anything, and the smaller run may still be the cheaper one.
    """

    runs: Mapping[Schedule, Simulation]
    colocated_on_half: Simulation | None

    def speedup(self, schedule: Schedule, *, over: Schedule) -> float:
        """Seconds of an iteration of the baseline over the schedule's; below 1 is a loss."""
        return self.runs[over].iteration_seconds / self.runs[schedule].iteration_seconds

    def cost_against_half(self, schedule: Schedule) -> float | None:
        """Device seconds of an iteration over those of the colocated run on half the devices."""
        if self.colocated_on_half is None:
            return None
        return self.runs[schedule].device_seconds / self.colocated_on_half.device_seconds

    @property
    def ideal_iteration_seconds(self) -> float:
        """Of the split: its longer phase, everything else hidden."""
        split = self.runs[Schedule.SAME_SPLIT]
        return ideal_iteration_seconds(split.sampling_seconds, split.training_seconds)


def compare(
    workload: Workload, *, num_iterations: int = 100, seed: int = 0, max_staleness: int = 1
) -> Comparison:
    """Run all schedules on the same draws. Raises WorkloadInvalid."""
    return Comparison(
        runs={
            schedule: simulate(
                workload,
                schedule,
                num_iterations=num_iterations,
                seed=seed,
                max_staleness=max_staleness,
            )
            for schedule in Schedule
        },
        colocated_on_half=_on_half(workload, num_iterations, seed),
    )


def with_time_ratio(workload: Workload, ratio: float, *, seed: int = 0) -> Workload:
    """The same workload on the same split, with learners so fast that sampling takes `ratio` of
    what training takes; the sum of both phases stays the same."""
    phases = simulate(workload, Schedule.SAME_SPLIT, num_iterations=20, seed=seed)
    together = phases.sampling_seconds + phases.training_seconds
    faster = together * ratio / (1 + ratio) / phases.sampling_seconds
    sampling, learning = workload.sampling, workload.learning
    slower = together / (1 + ratio) / phases.training_seconds
    return replace(
        workload,
        sampling=replace(
            sampling,
            step_seconds=sampling.step_seconds * faster,
            answer_seconds=sampling.answer_seconds * faster,
        ),
        learning=replace(
            learning,
            tokens_per_second=learning.tokens_per_second / slower,
            fixed_seconds=learning.fixed_seconds * slower,
        ),
    )


def _on_half(workload: Workload, num_iterations: int, seed: int) -> Simulation | None:
    half, each = workload.num_devices // 2, workload.sampling.devices_each
    samplers = half // 2 // each * each or each
    if half - samplers < 1:
        return None
    smaller = replace(workload, sampler_devices=samplers, learner_devices=half - samplers)
    return simulate(smaller, Schedule.COLOCATED, num_iterations=num_iterations, seed=seed)
