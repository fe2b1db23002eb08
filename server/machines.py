"""The memory of a machine to plan for: a GPU by its name or its size, or plain RAM."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from server.errors import ModelError

GIB = 2**30

GPU_GIB: Mapping[str, float] = {
    "a10g": 22.0,
    "a100-40": 39.4,
    "a100-80": 79.1,
    "b200": 178.3,
    "h100": 79.1,
    "h200": 139.7,
    "l4": 22.0,
    "l40s": 44.4,
    "rtx4090": 23.5,
}
"""GiB that CUDA reports as a GPU's total, rounded down to the least that is commonly seen.

The gigabytes on the label are more: they are decimal on some cards, and ECC and the driver take
theirs before a program sees any.
"""

USABLE_FRACTION = 0.92
"""Part of a device's memory that the engine takes: vLLM's own default, gpu_memory_utilization.

The rest is for the CUDA context, for fragments, and for what else runs there.
"""

GPUS_PER_HOST = 8
"""GPUs joined by a fast link in the usual server; one layer is not split over more than these."""

MOST_DEVICES = 1024
"""More is a typing error."""

_FORM = re.compile(r"(?P<kind>[a-z0-9.-]+?)(:(?P<tail>[a-z0-9.]+))?", re.ASCII)
_SIZE = re.compile(r"(?P<gib>\d+(\.\d+)?)(gib|gb|g)", re.ASCII)


def gib(num_bytes: float) -> str:
    """For people: 12.3 GiB."""
    return f"{num_bytes / GIB:.1f} GiB"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Equal devices with memory of their own.

    name: as `parse_gpus` reads it, without the count. memory_bytes: of one device, all of it.
    """

    name: str
    kind: Literal["gpu", "cpu"]
    memory_bytes: int
    num_devices: int = 1

    @property
    def usable_bytes(self) -> int:
        """What the engine may take of one device."""
        return int(self.memory_bytes * USABLE_FRACTION)

    def with_devices(self, num_devices: int) -> "Machine":
        """The same machine with another number of devices."""
        return replace(self, num_devices=num_devices)

    def __str__(self) -> str:
        return f"{self.name}:{self.num_devices}" if self.num_devices > 1 else self.name


def parse_gpus(text: str) -> Machine:
    """The machine that `text` names.

    Forms: `h100`, `h100:2`, `48GiB:2` for a GPU that is not in the table, `cpu:24GiB` for RAM.
    Raises ModelError naming the forms and the GPUs of the table.
    """
    found = _FORM.fullmatch(text.strip().lower())
    if not found:
        raise _unreadable(text)
    kind, tail = found["kind"], found["tail"]
    if kind == "cpu":
        memory_bytes = _size_bytes(tail or "")
        if not memory_bytes:
            raise ModelError(
                f"the machine {text!r} has no size: plain RAM is given as cpu:24GiB; add the GiB"
            )
        return Machine(name=f"cpu:{memory_bytes / GIB:g}GiB", kind="cpu", memory_bytes=memory_bytes)
    num_devices = _count(text, tail or "1")
    if kind in GPU_GIB:
        memory_bytes, name = int(GPU_GIB[kind] * GIB), kind
    else:
        memory_bytes = _size_bytes(kind)
        name = f"{memory_bytes / GIB:g}GiB"
    if not memory_bytes:
        raise _unreadable(text)
    return Machine(name=name, kind="gpu", memory_bytes=memory_bytes, num_devices=num_devices)


def _count(text: str, tail: str) -> int:
    if not tail.isdecimal() or not 1 <= int(tail) <= MOST_DEVICES:
        raise ModelError(
            f"the machine {text!r} has the count {tail!r}: a count is a whole number from 1 to"
            f" {MOST_DEVICES}; write it as h100:2"
        )
    return int(tail)


def _size_bytes(text: str) -> int:
    """0 when it is no size."""
    found = _SIZE.fullmatch(text)
    return int(float(found["gib"]) * GIB) if found else 0


def _unreadable(text: str) -> ModelError:
    return ModelError(
        f"the machine {text!r} is not known: known GPUs are {', '.join(GPU_GIB)}; for another give"
        " its memory, as 48GiB:2, and for a machine without one cpu:24GiB"
    )
