"""Memory and attained speed of the devices that a plan is made for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

USABLE_FRACTION = 0.92
"""Of a device's memory; the rest is lost to fragments of the allocator."""

TRAINING_EFFICIENCY = 0.4
"""Model FLOP utilisation of a dense model's training step: 46 % in arXiv:2204.02311; long packed
sequences under FSDP reach less."""

DECODE_EFFICIENCY = 0.6
"""Part of the memory bandwidth that decoding attains; our assumption."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Equal devices. Speeds are attained ones, of one device.

    On a CPU a device is a core; memory_bytes is then the whole machine's, shared by all.
    """

    name: str
    kind: Literal["gpu", "cpu"]
    num_devices: int
    memory_bytes: int
    training_flops: float
    decoding_flops: float
    decoding_bytes: float

    def __str__(self) -> str:
        unit = "core" if self.kind == "cpu" else self.name
        return f"{self.num_devices} x {unit} ({self.memory_bytes / 2**30:.0f} GiB)"


_PEAKS: Mapping[str, tuple[float, float]] = {
    "a100": (312e12, 2.0e12),
    "h100": (989e12, 3.35e12),
    "h200": (989e12, 4.8e12),
    "b200": (2250e12, 8.0e12),
    "l40s": (362e12, 0.864e12),
}
"""Dense bf16 FLOP/s and bytes/s of memory, from the makers' data sheets (SXM where there are two)."""


def gpus(name: str, *, num_devices: int, memory_bytes: int) -> Hardware:
    """GPUs by name and memory; one that is not in the table is taken for an H100."""
    flops, bandwidth = next(
        (peaks for known, peaks in _PEAKS.items() if name.lower().startswith(known)),
        _PEAKS["h100"],
    )
    return Hardware(
        name=name,
        kind="gpu",
        num_devices=num_devices,
        memory_bytes=memory_bytes,
        training_flops=flops * TRAINING_EFFICIENCY,
        decoding_flops=flops * TRAINING_EFFICIENCY,
        decoding_bytes=bandwidth * DECODE_EFFICIENCY,
    )


def cpu_cores(*, num_cores: int, memory_bytes: int) -> Hardware:
    """Cores of a server CPU.

    Measured with a 135M model on two cores: a decode step of 31 ms at 16 answers and 109 ms at
    128, and 8.5 s to train on some 3,200 tokens.
    """
    return Hardware(
        name="cpu",
        kind="cpu",
        num_devices=num_cores,
        memory_bytes=memory_bytes,
        training_flops=2.0e11,
        decoding_flops=2.0e11,
        decoding_bytes=6.8e9,
    )
