"""What a process under test uses: memory and processor time, from /proc."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Resident memory of one process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def cpu_seconds(pid: int) -> float:
    """Processor time that one process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


class Sample(NamedTuple):
    """Resident memory at a time of the monotonic clock."""

    at_seconds: float
    resident_bytes: int


class MemoryWatch:
    """Samples the resident memory of a process for the body of a `with`."""

    def __init__(self, pid: int, *, every_seconds: float = 0.05) -> None:
        self._pid = pid
        self._every_seconds = every_seconds
        self._samples: list[Sample] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory watch")

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()
        self._sample()

    @property
    def samples(self) -> Sequence[Sample]:
        """All samples so far, the oldest first."""
        return self._samples

    @property
    def most_mib(self) -> float:
        """The largest sample."""
        return max(sample.resident_bytes for sample in self._samples) / 2**20

    @property
    def growth_mib(self) -> float:
        """The largest sample above the first."""
        return self.most_mib - self._samples[0].resident_bytes / 2**20

    def _watch(self) -> None:
        while not self._is_over.wait(self._every_seconds):
            self._sample()

    def _sample(self) -> None:
        self._samples.append(Sample(time.monotonic(), resident_bytes(self._pid)))
