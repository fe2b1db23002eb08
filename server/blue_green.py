"""A second engine beside the one that answers: whether there is memory for it, and its start."""

import asyncio
import contextlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from server.engine import Engine, LoadedWeights
from server.errors import EngineStartError, UpdateFailed
from server.memory_check import available_bytes

NVIDIA_SMI_SECONDS = 20.0
STOP_SECONDS = 5.0
"""For the last bytes of answers that have ended already."""


@dataclass(frozen=True, kw_only=True)
class SecondEngine:
    """How another engine of a model is made, not started yet.

    needed_bytes: of memory; None for an engine that takes all that its GPU has. available_bytes:
    what there is now.
    """

    make: Callable[[], Engine]
    needed_bytes: int | None
    available_bytes: Callable[[], int]


async def start_second(
    second: SecondEngine,
    version: str,
    weights: LoadedWeights | None,
    adapters: Mapping[str, LoadedWeights],
) -> Engine:
    """An engine that has generated and loaded the weights. Raises UpdateFailed; nothing runs then."""
    engine = second.make()
    engine.begin_on(weights, adapters)
    try:
        await engine.start()
    except EngineStartError as error:
        with contextlib.suppress(Exception):
            await engine.stop(drain_seconds=0)
        raise UpdateFailed(
            f"the second engine for version {version} did not start: {error}"
        ) from error
    except asyncio.CancelledError:
        await engine.stop(drain_seconds=0)
        raise
    return engine


def free_memory(*, is_gpu: bool, num_devices: int) -> Callable[[], int]:
    """What tells the free bytes: of the GPUs that an engine is spread over, else of the machine."""
    if not is_gpu:
        return available_bytes
    return lambda: num_devices * _least_free_gpu_bytes()


def _least_free_gpu_bytes() -> int:
    """Of the fullest GPU, for an engine takes the same of each; 0 when the driver does not say."""
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=NVIDIA_SMI_SECONDS
        )
        return min(int(line) for line in found.stdout.split()) * 2**20
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
