"""What a run came to. Only what the program did is in here; a fault of our host is an exception."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from sandbox.worker.values import Opaque, UnreadableValue, decode


class Group(Enum):
    """The three kinds of verdict."""

    FINE = "fine"
    """It ended by itself with exit code 0."""
    FAILED = "failed"
    """It failed within its limits."""
    LIMITED = "limited"
    """It was stopped at a limit, or failed because of one."""


class Verdict(StrEnum):
    """What a program did, in one word."""

    OK = "ok"
    RUNTIME_ERROR = "runtime_error"
    """It ended with another exit code than 0, or by a signal."""
    COMPILE_ERROR = "compile_error"
    """It was not run: its compiler refused it, and stderr says why."""
    FORBIDDEN_CALL = "forbidden_call"
    """It was killed by the system-call filter."""
    TIMED_OUT = "timed_out"
    """It used its CPU time, or its wall time without counting the wait for a processor."""
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    """It wrote more to stdout or stderr than it may; what is kept is the beginning."""
    PROCESS_LIMIT = "process_limit"
    """It failed, and had asked for more processes or threads than it may have."""
    FILE_LIMIT = "file_limit"
    """It was stopped for a file longer than it may write."""

    @property
    def group(self) -> Group:
        """The verdict's kind."""
        if self is Verdict.OK:
            return Group.FINE
        failures = (Verdict.RUNTIME_ERROR, Verdict.COMPILE_ERROR, Verdict.FORBIDDEN_CALL)
        return Group.FAILED if self in failures else Group.LIMITED


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a program ended and what it used.

    exit_code: None when a signal ended it. signal: None when it exited. cpu_seconds: of all its
    processes. wall_seconds: from its start to its end. wait_seconds: how much of that it waited for
    a processor; measured only when it came near its wall limit, else 0. peak_memory_bytes: of all
    its processes where the isolation counts them together, else of the largest. num_left_processes:
    what it left running, which was killed. isolation: what held it, such as
    "namespaces(user+pid+mount+net+ipc+uts, seccomp, cgroup-v1)".
    """

    verdict: Verdict
    exit_code: int | None = None
    signal: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    wait_seconds: float = 0.0
    peak_memory_bytes: int = 0
    num_left_processes: int = 0
    isolation: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.verdict is Verdict.OK


@dataclass(frozen=True, kw_only=True)
class CallOutcome:
    """What one call of a function came to.

    encoded: what it returned, when the verdict is OK, as in sandbox.worker.values: equal bytes are
    equal data. error: the exception's last line otherwise. cpu_seconds, wall_seconds: of this call, as its own process
    counted them: good for a report, not for a ranking.
    """

    verdict: Verdict
    encoded: bytes = b""
    error: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0

    @property
    def value(self) -> Any:
        """What it returned, as plain data; what cannot be read is an Opaque, which equals nothing.

        Read anew each time and not kept: it may take fifty times the room of its bytes.
        """
        if self.verdict is not Verdict.OK:
            return None
        try:
            return decode(self.encoded)
        except UnreadableValue as error:
            return Opaque(f"unreadable: {error}")
