"""What a process under test uses: memory and processor time, from /proc."""

import os
import statistics
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


class Drift(NamedTuple):
    """Where memory went once it had settled. first_mib, last_mib: medians of the first and last quarter.

    slope_mib: of a line through all samples, a minute. percent: along that line, of the median.
    """

    first_mib: float
    last_mib: float
    slope_mib: float
    percent: float


def drift(samples: Sequence[Sample], *, warm_up: float = 0.2) -> Drift:
    """warm_up: share of the samples that is left out."""
    settled = samples[int(warm_up * len(samples)) :]
    mib = [sample.resident_bytes / 2**20 for sample in settled]
    minutes = [(sample.at_seconds - settled[0].at_seconds) / 60 for sample in settled]
    slope = statistics.linear_regression(minutes, mib).slope
    quarter = max(1, len(mib) // 4)
    return Drift(
        first_mib=statistics.median(mib[:quarter]),
        last_mib=statistics.median(mib[-quarter:]),
        slope_mib=slope,
        percent=100 * slope * minutes[-1] / statistics.median(mib),
    )


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
