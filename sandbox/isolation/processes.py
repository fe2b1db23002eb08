"""What /proc tells about a process and its descendants, for hosts without control groups and for waits."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
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
    """Resident memory of all descendants; what they share counts for each."""
    return sum(_memory_bytes(descendant) for descendant in descendants(process))


def wait_seconds(process: int) -> float:
    """The longest time that one of the descendants was ready to run and had no processor."""
    return max((_wait_seconds(descendant) for descendant in descendants(process)), default=0.0)


def _cpu_seconds(process: int) -> float:
    text = _read(process, "stat").rpartition(")")[2].split()
    return sum(map(int, text[_CPU_FIELDS])) / _TICKS if text else 0.0


def _memory_bytes(process: int) -> int:
    text = _read(process, "statm").split()
    return int(text[1]) * _PAGE_BYTES if text else 0


def _wait_seconds(process: int) -> float:
    text = _read(process, "schedstat").split()
    return int(text[1]) / 1e9 if len(text) > 1 else 0.0


def _read(process: int, name: str) -> str:
    try:
        return Path(f"/proc/{process}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
