"""The seam between the sandbox and what holds a program: an isolation opens workers, a worker runs.

Implementations: namespaces (the default), docker, http (a remote node), bare (none at all; only
by name). A job is a program already turned into commands by its toolchain; only `http` takes the
program itself, because the other node has toolchains of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from sandbox.outcome import CallOutcome, Outcome
from sandbox.program import Limits


class Kind(Enum):
    """How a job is started."""

    WARM = "warm"
    """Python source, run in a fork of the warm interpreter."""
    COMMAND = "command"
    """A command, executed."""
    CALLS = "calls"
    """Python source, loaded once; then calls of a function, each in a fork of its own."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run inside the wall.

    files: relative path → content, put into the work folder. command: argv of a COMMAND; its first
    is an absolute path inside the wall. executables: names of files that are made executable.
    collect: names of files that come back in `JobResult.files`; a name that ends in / is a folder.
    function, calls: of CALLS: an expression in the program's names, and the arguments of each call;
    limits hold for loading and for each call. call_seconds: None, or that the calls are made in turn
    in one process, each with this CPU time; limits then hold for all of it together.
    """

    kind: Kind
    files: Mapping[str, bytes]
    limits: Limits
    main: str = ""
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    executables: tuple[str, ...] = ()
    collect: tuple[str, ...] = ()
    function: str = ""
    calls: tuple[tuple[Any, ...], ...] = ()
    call_seconds: float | None = None

    @property
    def num_parts(self) -> int:
        """How many times the limits hold: once, or for loading and for each call."""
        return len(self.calls) + 1 if self.calls and self.call_seconds is None else 1


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What a job came to.

    files: name → content and whether it is executable, of what `Job.collect` asked for and the job
    left; links are not followed. calls: one outcome a call, as far as the program came.
    """

    outcome: Outcome
    files: Mapping[str, tuple[bytes, bool]] = field(default_factory=dict)
    calls: tuple[CallOutcome, ...] = ()


class Worker(Protocol):
    """An opened wall that runs one job at a time."""

    @property
    def is_broken(self) -> bool:
        """Whether it must be replaced; its last run raised SandboxUnavailable."""

    def run(self, job: Job) -> JobResult:
        """Run a job to its end. Raises SandboxUnavailable when we failed, not the job."""

    def cancel(self) -> None:
        """Make the job that runs end at once; called from another thread."""

    def close(self) -> None:
        """Leave nothing behind."""


class Isolation(Protocol):
    """A way of holding programs."""

    @property
    def name(self) -> str:
        """What it is called in the settings."""

    @property
    def description(self) -> str:
        """What holds a program, layer by layer; part of every outcome."""

    def open_worker(self) -> Worker:
        """A worker that is ready. Raises IsolationUnavailable with what the host lacks."""

    def close(self) -> None:
        """Leave nothing behind."""
