"""What /proc tells about a process and its descendants, for hosts without control groups and for waits."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MEMORY_FIELDS = ("VmRSS:", "VmPTE:")
_CPU_FIELDS = slice(11, 15)
"""utime, stime and those of children that were waited for, counted from the field after the name."""


def descendants(process: int) -> Iterator[int]:
    """Every process below this one that is alive, as the host numbers them."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield int(child)
        yield from descendants(int(child))


def cpu_seconds(process: int) -> float:
    """CPU time of all descendants and of theirs that have ended."""
    return sum(_cpu_seconds(descendant) for descendant in descendants(process))


def memory_bytes(process: int) -> int:
    """Memory of all programs below a zygote's keeper, without what a fork shares with the zygote.

    A process that is no fork any more is thus counted too low by that, about 15 MiB.
    """
    zygote, *programs = [*map(_memory_bytes, descendants(process))] or [0]
    return sum(max(0, size - zygote) for size in programs)


def wait_seconds(process: int) -> float:
    """The longest time that one of the descendants was ready to run and had no processor."""
    return max((_wait_seconds(descendant) for descendant in descendants(process)), default=0.0)


def _cpu_seconds(process: int) -> float:
    text = _read(process, "stat").rpartition(")")[2].split()
    return sum(map(int, text[_CPU_FIELDS])) / _TICKS if text else 0.0


def _memory_bytes(process: int) -> int:
    """Resident memory and the page tables, which a program can make large without any."""
    lines = (line.split() for line in _read(process, "status").splitlines())
    return 1024 * sum(int(line[1]) for line in lines if line and line[0] in _MEMORY_FIELDS)


def _wait_seconds(process: int) -> float:
    text = _read(process, "schedstat").split()
    return int(text[1]) / 1e9 if len(text) > 1 else 0.0


def _read(process: int, name: str) -> str:
    try:
        return Path(f"/proc/{process}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
