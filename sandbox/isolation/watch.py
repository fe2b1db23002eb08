"""Watches a running job: reads what it writes, and kills it when it has used what it may use.

The CPU time decides. The wall time is there for programs that sleep, and what a program waited for a
processor is given back to it, so that a busy host changes no verdict.
"""

import os
import select
import socket
import time
from collections.abc import Callable, Sequence
from enum import Enum

from sandbox.cgroup import Counters
from sandbox.isolation import processes
from sandbox.isolation.isolation import Job
from sandbox.isolation.reading import Reading

ANSWER_SECONDS = 15.0
"""Longest that a zygote may need to tell the end of a job that was killed; then it is broken."""

_SHORTEST_SECONDS = 0.005
_MEMORY_SECONDS = 0.05
"""How often memory is added up where no control group does it."""

_NUM_CPUS = os.cpu_count() or 1
_MESSAGE_BYTES = 256


class Stopped(Enum):
    """Why we killed a job."""

    CPU = "cpu"
    WALL = "wall"
    OUTPUT = "output"
    MEMORY = "memory"


class Watch:
    """One job's clock. keeper: the process under which all of the worker's processes are."""

    def __init__(self, counters: Counters | None, keeper: int, job: Job) -> None:
        self.counters = counters
        self.stopped: Stopped | None = None
        self.wait_seconds = 0.0
        self.wall_seconds = 0.0
        self.peak_bytes = 0
        self._keeper = keeper
        self._limits = job.limits
        # A program's calls have the limits each; all together are held to the sum.
        num_parts = job.num_parts
        self.cpu_limit_seconds = job.limits.cpu_seconds * num_parts
        self._wall_limit_seconds = job.limits.wall_cap_seconds * num_parts
        self._cpu_before = self._cpu_now()
        self._killed_before = counters.num_killed() if counters else 0
        self._refused_before = counters.num_refused() if counters else 0
        self._began = 0.0

    def start(self) -> None:
        """The job has been sent."""
        self._began = time.monotonic()

    @property
    def was_out_of_memory(self) -> bool:
        """Whether the kernel killed one of its processes for lack of memory."""
        return self.counters is not None and self.counters.num_killed() > self._killed_before

    @property
    def was_refused_processes(self) -> bool:
        """Whether it asked for more processes than it may have."""
        return self.counters is not None and self.counters.num_refused() > self._refused_before

    def cpu_seconds(self) -> float:
        """CPU time of all its processes since the watch was made."""
        return self._cpu_now() - self._cpu_before

    def until_end(
        self, control: socket.socket, outputs: Sequence[Reading], kill: Callable[[], None]
    ) -> bytes:
        """Read until the zygote tells the end. Returns what it told.

        Raises EOFError when the zygote is gone, TimeoutError when it does not answer a kill.
        """
        poll = select.poll()
        poll.register(control.fileno(), select.POLLIN)
        by_descriptor = {reading.outside: reading for reading in outputs}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        killed_at = 0.0
        told = b""
        while not told:
            for descriptor, _ in poll.poll(1000 * self._until_next_look()):
                if descriptor == control.fileno():
                    told = control.recv(_MESSAGE_BYTES)
                    if not told:
                        raise EOFError("it is gone")
                elif not by_descriptor[descriptor].read():
                    poll.unregister(descriptor)
            if told:
                break
            if self.stopped is None:
                self.stopped = self._look(outputs)
                if self.stopped is not None:
                    kill()
                    killed_at = time.monotonic()
            elif time.monotonic() - killed_at > ANSWER_SECONDS:
                raise TimeoutError(f"no answer {ANSWER_SECONDS:g} s after a kill")
        self.wall_seconds = time.monotonic() - self._began
        for reading in outputs:
            reading.drain()
        return told

    def _until_next_look(self) -> float:
        """Seconds in which nothing can come to a limit."""
        if self.stopped is not None:
            return 1.0
        elapsed = time.monotonic() - self._began
        wall = self._wall_limit_seconds + self.wait_seconds - elapsed
        cpu = (self.cpu_limit_seconds - self.cpu_seconds()) / _NUM_CPUS
        memory = wall if self.counters else _MEMORY_SECONDS
        return max(_SHORTEST_SECONDS, min(wall, cpu, memory))

    def _look(self, outputs: Sequence[Reading]) -> Stopped | None:
        if any(reading.is_truncated for reading in outputs):
            return Stopped.OUTPUT
        if self.cpu_seconds() > self.cpu_limit_seconds:
            return Stopped.CPU
        if self.counters is None:
            self.peak_bytes = max(self.peak_bytes, processes.memory_bytes(self._keeper))
            if self.peak_bytes > self._limits.memory_bytes:
                return Stopped.MEMORY
        if time.monotonic() - self._began - self.wait_seconds > self._wall_limit_seconds:
            waited = processes.wait_seconds(self._keeper)
            if waited <= self.wait_seconds:
                return Stopped.WALL
            self.wait_seconds = waited
            return self._look(outputs)
        return None

    def _cpu_now(self) -> float:
        if self.counters is not None:
            return self.counters.cpu_seconds()
        return processes.cpu_seconds(self._keeper)
