"""How fast a shape samples and trains on given devices: floating-point operations and bytes moved.

Estimates from attained speeds, to choose a split by; a measured run replaces them.
"""

from dataclasses import dataclass
from statistics import fmean

from trainer.errors import PlanRefused
from trainer.hardware import USABLE_FRACTION, Hardware
from trainer.simulate import draw_lengths
from trainer.trained_shape import TrainedShape
from trainer.training_memory import CPU_RESERVE_BYTES, GPU_RESERVE_BYTES, Method
from trainer.workload import HandOver, Learning, Sampling, Workload

DISK_BYTES_PER_SECOND = 2e9
"""Weights through a shared folder, written once and read once; a plain NVMe disk."""

ENGINE_MOST_ACTIVE = 256
"""Answers that an engine decodes at once; vLLM's usual limit."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Moments of the lengths drawn. sequence, sequence_squared: as fed to training, prompt included.
    in_flight: mean context of an active answer."""

    answer: float
    sequence: float
    sequence_squared: float
    in_flight: float


def moments(workload: Workload, prompt_tokens: int, *, prompt_shared_by: int = 1) -> Moments:
    """Of twenty iterations' draws; an answer is in flight as long as it is long, so its square counts.

    prompt_shared_by: answers for which training is fed the prompt once.
    """
    drawn = [length for batch in draw_lengths(workload, 20, 0) for length in batch]
    answer = fmean(drawn)
    return Moments(
        answer=answer,
        sequence=prompt_tokens / prompt_shared_by + answer,
        sequence_squared=fmean((prompt_tokens + length) ** 2 for length in drawn),
        in_flight=prompt_tokens + fmean(length**2 for length in drawn) / (2 * answer),
    )


def training_flops(
    shape: TrainedShape, found: Moments, *, method: Method, has_checkpointing: bool
) -> float:
    """Operations for one mean sequence, its old log-probs included.

    A pass costs 2 operations a multiplied parameter and token, and 2 a d L for each pair of tokens
    in causal attention. Backward costs two passes, or one through frozen weights (2.5 in attention,
    which recomputes its scores); checkpointing one more, old log-probs one more.
    Source: arXiv:2204.02311 appendix B, arXiv:2307.08691.
    """
    forward = 1 + 1 + has_checkpointing
    linear = 2 * shape.multiplied_parameters * found.sequence
    pairs = 2 * shape.layers * shape.heads * shape.head_dim * found.sequence_squared
    return (forward + (2 if method == "full" else 1)) * linear + (forward + 2.5) * pairs


def learning(
    shape: TrainedShape,
    hardware: Hardware,
    found: Moments,
    *,
    method: Method,
    has_checkpointing: bool,
    live_share: float = 1.0,
) -> Learning:
    """Gathers and reductions are taken to hide behind a micro-batch's arithmetic."""
    flops = training_flops(shape, found, method=method, has_checkpointing=has_checkpointing)
    return Learning(tokens_per_second=hardware.training_flops * found.answer / (flops * live_share))


def sampling(
    shape: TrainedShape,
    hardware: Hardware,
    found: Moments,
    *,
    devices_each: int,
    longest_tokens: int,
) -> Sampling:
    """Decoding reads the weights once a step and an active answer's cache, and multiplies once.

    Raises PlanRefused where a sampler cannot hold one sequence of longest_tokens.
    """
    weights, cache = 2 * shape.parameters, shape.kv_bytes_per_token
    if hardware.kind == "cpu":
        room = hardware.memory_bytes * USABLE_FRACTION / 2 - weights - CPU_RESERVE_BYTES
    else:
        each = hardware.memory_bytes * USABLE_FRACTION - GPU_RESERVE_BYTES
        room = each * devices_each - weights
    if room < cache * longest_tokens:
        raise PlanRefused(
            f"a sampler of {devices_each} devices has {max(0.0, room) / 2**30:.1f} GiB left for its"
            f" cache: one sequence of {longest_tokens:,} tokens of {shape.name} needs"
            f" {cache * longest_tokens / 2**30:.1f}; raise the tensor parallel size"
        )
    bandwidth = hardware.decoding_bytes * devices_each
    return Sampling(
        step_seconds=weights / bandwidth,
        answer_seconds=cache * found.in_flight / bandwidth
        + 2 * shape.multiplied_parameters / (hardware.decoding_flops * devices_each),
        devices_each=devices_each,
        most_active=max(1, min(ENGINE_MOST_ACTIVE, int(room / (cache * found.in_flight)))),
    )


def hand_over(num_bytes: int) -> HandOver:
    """Through a folder. The colocated schedule is given the reading alone, which favours it."""
    seconds = num_bytes / DISK_BYTES_PER_SECOND
    return HandOver(publish_seconds=seconds, load_seconds=seconds, switch_seconds=seconds)
