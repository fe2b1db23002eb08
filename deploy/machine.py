"""Facts about this machine that decide what it can serve, read from the kernel and the driver."""

import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DRIVER_SECONDS = 20.0
"""nvidia-smi wakes a sleeping driver, which takes seconds."""

_UNLIMITED_BYTES = 2**60
"""cgroup v1 writes "no limit" as a huge number."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU as its driver describes it."""

    name: str
    memory_bytes: int
    driver: str


def gpus() -> Sequence[Gpu]:
    """The NVIDIA GPUs. Empty where there are none; raises OSError when the driver does not work."""
    if shutil.which("nvidia-smi") is None:
        return ()
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]  # fmt: skip
    try:
        result = subprocess.run(
            query, capture_output=True, text=True, timeout=DRIVER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"nvidia-smi did not answer within {DRIVER_SECONDS:.0f} s") from error
    if result.returncode != 0:
        words = (result.stdout + result.stderr).split()
        raise OSError(" ".join(words)[:200] or f"nvidia-smi exits with {result.returncode}")
    rows = [line.split(", ") for line in result.stdout.splitlines() if line.count(", ") == 2]
    return [
        Gpu(name=name, memory_bytes=int(mib) * 2**20, driver=driver) for name, mib, driver in rows
    ]


def cpu_features() -> Sequence[str]:
    """Those of the features that speed inference up which this CPU has, best first."""
    wanted = ("amx_tile", "avx512_bf16", "avx512f", "avx2", "sve", "bf16", "asimd")
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ()
    flags: set[str] = set()
    for line in text.splitlines():
        if line.lower().startswith(("flags", "features")):
            flags |= set(line.partition(":")[2].split())
            break
    return [name for name in wanted if name in flags]


def architecture() -> str:
    """As the kernel names it: x86_64, aarch64."""
    return platform.machine()


def available_memory_bytes() -> int:
    """What a new process may use: free and reclaimable memory, or what the container has left."""
    meminfo = dict(
        line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line
    )
    available = int(meminfo["MemAvailable"].split()[0]) * 1024
    for limit, usage in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        (
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ):
        try:
            allowed = int(Path(limit).read_text())
            if allowed < _UNLIMITED_BYTES:
                available = min(available, allowed - int(Path(usage).read_text()))
        except (OSError, ValueError):
            continue
    return max(available, 0)


def free_disk_bytes(folder: Path) -> int:
    """Free space where `folder` is, or will be made."""
    return shutil.disk_usage(existing_parent(folder)).free


def existing_parent(folder: Path) -> Path:
    """`folder`, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())
