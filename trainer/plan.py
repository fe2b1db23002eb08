"""Will a recipe fit these devices, how long will its phases last, and is pipelining worth it?

Memory is a sum of terms (trainer.training_memory), phases come from operations and bytes
(trainer.phase_times), and the verdict from simulating every split of the devices that fits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from trainer.errors import PlanRefused
from trainer.hardware import USABLE_FRACTION, Hardware
from trainer.phase_times import hand_over, learning, moments, sampling
from trainer.pipeline_comparison import Comparison, compare
from trainer.simulate import Schedule, simulate
from trainer.trained_shape import TrainedShape
from trainer.training_memory import Footprint, Method
from trainer.workload import Learning, Lengths, Rewards, Sampling, Workload

WORTHWHILE = 1.10
"""Speed-up over the colocated schedule from which pipelining is advised: the simulator is held to 10 %
of published measurements, so less is within its error, and staleness is not free."""

PLAN_ITERATIONS = 10
"""Iterations simulated for each split; lengths average out within a batch already."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained on in one iteration.

    prompt_tokens: the longest prompt; every prompt is counted as that long. mini_batch_prompts: of
    one optimiser step; 0 for all. micro_batch_tokens: packed into one pass of a rank; 0 for the longest
    sequence. chunk_tokens: rows of logits at once; 0 for all. tensor_parallel: devices of a sampler.
    live_share: of groups whose rewards differ; the others are left out of training. shares_prompts: a
    group's prompt is fed once for all its answers.
    """

    prompts: int
    group: int
    lengths: Lengths
    prompt_tokens: int
    method: Method = "full"
    lora_rank: int = 32
    mini_batch_prompts: int = 0
    micro_batch_tokens: int = 0
    chunk_tokens: int = 1024
    has_checkpointing: bool = True
    tensor_parallel: int = 1
    rewards: Rewards
    live_share: float = 1.0
    shares_prompts: bool = False

    @property
    def longest_tokens(self) -> int:
        return self.prompt_tokens + self.lengths.most_tokens

    @property
    def pass_tokens(self) -> int:
        """Of one micro-batch."""
        return self.micro_batch_tokens or self.longest_tokens

    @property
    def step_prompts(self) -> int:
        """Of one optimiser step."""
        return self.mini_batch_prompts or self.prompts


@dataclass(frozen=True, kw_only=True)
class Plan:
    """workload: of the best split, or of half and half where pipelining is not possible.

    splits: sampler devices of each possible split to its seconds an iteration, one-off with
    interleaved rewards. comparison: all schedules on the best split, or None where there is none.
    learner: footprint of a rank of the schedule advised.
    """

    shape: TrainedShape
    hardware: Hardware
    recipe: Recipe
    learner: Footprint
    is_pipelining_advised: bool
    colocated_seconds: float
    splits: Mapping[int, float]
    workload: Workload
    comparison: Comparison | None
    reason: str


def plan(shape: TrainedShape, hardware: Hardware, recipe: Recipe) -> Plan:
    """Raises PlanRefused where the recipe fits in no way, WorkloadInvalid where it is none."""
    _check_batch(recipe, hardware.num_devices)
    start = _workload(shape, hardware, recipe)
    whole = _footprint(shape, hardware, recipe, hardware.num_devices)
    if not _fits(whole, hardware):
        raise PlanRefused(_too_large(whole, hardware))
    colocated = simulate(start, Schedule.COLOCATED, num_iterations=PLAN_ITERATIONS)
    splits = {
        split.sampler_devices: simulate(
            split, Schedule.ONE_OFF_INTERLEAVED, num_iterations=PLAN_ITERATIONS
        ).iteration_seconds
        for split in _splits(shape, hardware, recipe, start)
    }
    best = min(splits, key=splits.__getitem__, default=None)
    if best is not None:
        start = replace(start, sampler_devices=best, learner_devices=hardware.num_devices - best)
    gain = colocated.iteration_seconds / splits[best] if best is not None else 0.0
    is_advised = gain >= WORTHWHILE
    ranks = start.learner_devices if is_advised else hardware.num_devices
    return Plan(
        shape=shape,
        hardware=hardware,
        recipe=recipe,
        learner=_footprint(shape, hardware, recipe, ranks),
        is_pipelining_advised=is_advised,
        colocated_seconds=colocated.iteration_seconds,
        splits=splits,
        workload=start,
        comparison=compare(start, num_iterations=PLAN_ITERATIONS) if best is not None else None,
        reason=_reason(gain, start, is_advised),
    )


def _workload(shape: TrainedShape, hardware: Hardware, recipe: Recipe) -> Workload:
    """Rates from the shape; the split is a start, and rates do not depend on it."""
    each = recipe.tensor_parallel
    if each < 1 or each > hardware.num_devices:
        raise PlanRefused(
            f"tensor_parallel is {each} on {hardware}: a sampler takes 1 to {hardware.num_devices}"
            " devices; lower it or give more devices"
        )
    start = Workload(
        sampler_devices=each,
        learner_devices=max(1, hardware.num_devices - each),
        prompts=recipe.prompts,
        group=recipe.group,
        lengths=recipe.lengths,
        sampling=Sampling(step_seconds=1, answer_seconds=1, devices_each=each),
        learning=Learning(tokens_per_second=1),
        rewards=recipe.rewards,
    )
    found = moments(
        start, recipe.prompt_tokens, prompt_shared_by=recipe.group if recipe.shares_prompts else 1
    )
    shipped = (
        shape.parameters if recipe.method == "full" else shape.lora_parameters(recipe.lora_rank)
    )
    return replace(
        start,
        sampling=sampling(
            shape, hardware, found, devices_each=each, longest_tokens=recipe.longest_tokens
        ),
        learning=learning(
            shape,
            hardware,
            found,
            method=recipe.method,
            has_checkpointing=recipe.has_checkpointing,
            live_share=recipe.live_share,
        ),
        hand_over=hand_over(2 * shipped),
    )


def _check_batch(recipe: Recipe, num_devices: int) -> None:
    if recipe.prompts % recipe.step_prompts:
        raise PlanRefused(
            f"mini_batch_prompts is {recipe.step_prompts} of {recipe.prompts} prompts: optimiser steps"
            " must divide an iteration evenly; give a divisor"
        )
    if recipe.pass_tokens < recipe.longest_tokens:
        raise PlanRefused(
            f"micro_batch_tokens is {recipe.pass_tokens:,}: the longest sequence, prompt and answer,"
            f" has {recipe.longest_tokens:,} tokens and is not divided; raise it to that"
        )
    if recipe.method == "lora" and recipe.lora_rank < 1:
        raise PlanRefused(
            f"lora_rank is {recipe.lora_rank}: an adapter has rank 1 at least; raise it"
        )
    if not 0 < recipe.live_share <= 1:
        raise PlanRefused(
            f"live_share is {recipe.live_share:g}: it is a share above 0, and 1 at most; give one"
        )
    answers = recipe.step_prompts * recipe.group
    if answers < num_devices:
        raise PlanRefused(
            f"an optimiser step has {answers} answers for {num_devices} devices that learn together:"
            " each needs one at least; raise the mini-batch or give fewer devices"
        )


def _splits(
    shape: TrainedShape, hardware: Hardware, recipe: Recipe, start: Workload
) -> Iterator[Workload]:
    """Those whose learners hold their share of the training state."""
    each = recipe.tensor_parallel
    for samplers in range(each, hardware.num_devices, each):
        learners = hardware.num_devices - samplers
        if _fits(_footprint(shape, hardware, recipe, learners), hardware):
            yield replace(start, sampler_devices=samplers, learner_devices=learners)


def _footprint(
    shape: TrainedShape, hardware: Hardware, recipe: Recipe, num_learners: int
) -> Footprint:
    """Cores of a CPU are threads of one rank."""
    is_gpu = hardware.kind == "gpu"
    return Footprint(
        shape=shape,
        method=recipe.method,
        lora_rank=recipe.lora_rank,
        ranks=num_learners if is_gpu else 1,
        micro_batch_tokens=recipe.pass_tokens,
        chunk_tokens=recipe.chunk_tokens,
        has_checkpointing=recipe.has_checkpointing,
        is_gpu=is_gpu,
    )


def learner_limit_bytes(hardware: Hardware) -> float:
    """What a rank may take: a GPU's usable memory, or half of a CPU's, the sampler having the rest."""
    return hardware.memory_bytes * USABLE_FRACTION / (1 if hardware.kind == "gpu" else 2)


def _fits(footprint: Footprint, hardware: Hardware) -> bool:
    return footprint.total_bytes <= learner_limit_bytes(hardware)


def _too_large(footprint: Footprint, hardware: Hardware) -> str:
    largest = max(footprint.terms(), key=lambda term: term.num_bytes)
    return (
        f"a learner of {footprint.shape.name} needs {footprint.total_bytes / 2**30:.1f} GiB on each of"
        f" {footprint.ranks} ranks, most of it {largest.what} ({largest.num_bytes / 2**30:.1f} GiB):"
        f" {hardware} gives {learner_limit_bytes(hardware) / 2**30:.1f}; train a LoRA, shorten the"
        " context, or give more or larger devices"
    )


def _reason(gain: float, workload: Workload, is_advised: bool) -> str:
    if not gain:
        return "Stay synchronous: no split leaves samplers and learners that fit."
    split = f"{workload.sampler_devices} sampling and {workload.learner_devices} learning"
    if is_advised:
        return f"Pipeline: {split} do an iteration {gain:.2f} times as fast as all in turn."
    return (
        f"Stay synchronous: the best split, {split}, is {gain:.2f} times as fast as all devices in"
        f" turn; below {WORTHWHILE:.2f} that is within the estimate's error."
    )
