"""Constants of a workload from the phase times that somebody published for two numbers of devices."""

from dataclasses import dataclass, replace
from statistics import fmean

from trainer.errors import WorkloadInvalid
from trainer.simulate import draw_lengths
from trainer.workload import Learning, Sampling, Workload

_FIT_ITERATIONS = 40
"""Drawn lengths over which a phase is averaged; the same draws as the first of a simulation."""


@dataclass(frozen=True, kw_only=True)
class Phases:
    """Seconds of both phases of an iteration on so many devices each."""

    sampler_devices: int
    learner_devices: int
    sampling_seconds: float
    training_seconds: float


def fitted(workload: Workload, few: Phases, many: Phases, *, seed: int = 0) -> Workload:
    """The workload with rates such that its phases last as said, on few devices and on many.

    Sampling is a tail that devices do not shorten (steps of the longest answer) plus work that they
    share; training is a fixed part plus work. Two points fix both. Raises WorkloadInvalid for
    points that no such rates give: slower on more devices, or faster than in proportion.
    """
    return replace(
        workload,
        sampling=_fit_sampling(workload, few, many, seed),
        learning=_fit_learning(workload, few, many),
    )


def _fit_learning(workload: Workload, few: Phases, many: Phases) -> Learning:
    tokens = workload.num_answers * workload.lengths.mean_tokens
    shared = (few.training_seconds - many.training_seconds) / (
        1 / few.learner_devices - 1 / many.learner_devices
    )
    fixed = few.training_seconds - shared / few.learner_devices
    if shared <= 0 or fixed < -1e-9 * few.training_seconds:
        raise WorkloadInvalid(_misfit("training", few.training_seconds, many.training_seconds))
    return Learning(tokens_per_second=tokens / shared, fixed_seconds=max(0.0, fixed))


def _fit_sampling(workload: Workload, few: Phases, many: Phases, seed: int) -> Sampling:
    batches = list(draw_lengths(workload, _FIT_ITERATIONS, seed))
    each = workload.sampling.devices_each
    step, answer = 1.0, 1.0
    # With all answers active at once a sampler takes step x its longest + answer x its tokens. Which
    # sampler is last depends on both constants, so the linear system is solved until that settles.
    for _ in range(20):
        rows = [
            (*_last_sampler(batches, point.sampler_devices // each, step, answer), point)
            for point in (few, many)
        ]
        (a, b, first), (c, d, second) = rows
        determinant = a * d - b * c
        step = (first.sampling_seconds * d - b * second.sampling_seconds) / determinant
        answer = (a * second.sampling_seconds - c * first.sampling_seconds) / determinant
    if step < 0 or answer < 0:
        raise WorkloadInvalid(_misfit("sampling", few.sampling_seconds, many.sampling_seconds))
    return replace(workload.sampling, step_seconds=step, answer_seconds=answer)


def _last_sampler(
    batches: list[list[int]], num_samplers: int, step: float, answer: float
) -> tuple[float, float]:
    """Means over batches of the longest answer and of the tokens of the sampler that ends last."""
    last = []
    for lengths in batches:
        shares = [lengths[first::num_samplers] for first in range(min(num_samplers, len(lengths)))]
        last.append(max(shares, key=lambda share: step * max(share) + answer * sum(share)))
    return fmean(max(share) for share in last), fmean(sum(share) for share in last)


def _misfit(phase: str, few: float, many: float) -> str:
    return (
        f"{phase} takes {few:g} s on few devices and {many:g} s on many: it must get faster with"
        " devices, and by no more than in proportion; check which time belongs to which"
    )
