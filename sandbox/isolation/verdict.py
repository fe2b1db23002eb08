"""From what was seen to one verdict. The order of the questions is the rule."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.isolation.isolation import Job, JobResult, Kind
from sandbox.isolation.reading import Reading
from sandbox.isolation.results import read_calls
from sandbox.isolation.watch import Stopped, Watch
from sandbox.outcome import CallOutcome, Outcome, Verdict


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What the zygote told: wait status, processes left over, and the main process's own use."""

    status: int
    num_left: int
    cpu_seconds: float
    peak_bytes: int
    is_uncompilable: bool


def outcome_of(
    job: Job,
    ending: Ending,
    watch: Watch,
    *,
    stdout: Reading,
    stderr: Reading,
    channel: Reading | None,
    files: Mapping[str, tuple[bytes, bool]],
    isolation: str,
) -> JobResult:
    """All of it as the job's result."""
    counted = watch.counters is not None
    cpu_seconds = watch.cpu_seconds() if counted else ending.cpu_seconds
    peak_bytes = watch.counters.peak_bytes() if watch.counters is not None else watch.peak_bytes
    exit_code = os.waitstatus_to_exitcode(ending.status)
    error = stderr.content
    outputs = (stdout, stderr) if channel is None else (stdout, stderr, channel)
    outcome = Outcome(
        verdict=_verdict(ending, watch, exit_code, cpu_seconds, error, outputs),
        exit_code=exit_code if exit_code >= 0 else None,
        signal=-exit_code if exit_code < 0 else None,
        stdout=stdout.content,
        stderr=error,
        stdout_truncated=stdout.is_truncated,
        stderr_truncated=stderr.is_truncated,
        cpu_seconds=cpu_seconds,
        wall_seconds=watch.wall_seconds,
        wait_seconds=watch.wait_seconds,
        peak_memory_bytes=max(peak_bytes or 0, 0 if counted else ending.peak_bytes),
        num_left_processes=ending.num_left,
        isolation=isolation,
    )
    calls: tuple[CallOutcome, ...] = ()
    if job.kind is Kind.CALLS and channel is not None:
        calls = tuple(read_calls(channel.content, job, outcome))
    return JobResult(outcome=outcome, files=files, calls=calls)


def _verdict(
    ending: Ending,
    watch: Watch,
    exit_code: int,
    cpu_seconds: float,
    stderr: bytes,
    outputs: tuple[Reading, ...],
) -> Verdict:
    if ending.is_uncompilable:
        return Verdict.COMPILE_ERROR
    if exit_code == -signal.SIGSYS:
        return Verdict.FORBIDDEN_CALL
    # A child that was killed counts, even where its parent went on as if nothing had been.
    if watch.stopped is Stopped.MEMORY or watch.was_out_of_memory:
        return Verdict.OUT_OF_MEMORY
    if any(output.is_truncated for output in outputs):
        return Verdict.OUTPUT_LIMIT
    if watch.stopped in (Stopped.CPU, Stopped.WALL) or cpu_seconds > watch.cpu_limit_seconds:
        return Verdict.TIMED_OUT
    if exit_code == 0:
        return Verdict.OK
    return _failure(watch, exit_code, cpu_seconds, stderr)


def _failure(watch: Watch, exit_code: int, cpu_seconds: float, stderr: bytes) -> Verdict:
    if exit_code == -signal.SIGXCPU:
        return Verdict.TIMED_OUT
    if exit_code == -signal.SIGXFSZ:
        return Verdict.FILE_LIMIT
    if watch.was_refused_processes:
        return Verdict.PROCESS_LIMIT
    # Where memory is an rlimit, the program is not killed: it is told, and says so at its end.
    if watch.counters is None and b"MemoryError" in stderr[-200:]:
        return Verdict.OUT_OF_MEMORY
    return Verdict.RUNTIME_ERROR
