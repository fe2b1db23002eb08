"""The host's end of a worker: starts the zygote, sends it jobs, watches them, and says what they came to."""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.cgroup import Counters
from sandbox.errors import IsolationUnavailable, RunCancelled, SandboxUnavailable
from sandbox.isolation.isolation import Job, JobResult, Kind
from sandbox.isolation.link import Link
from sandbox.isolation.payload import decode_files, encode_job, memory_file
from sandbox.isolation.reading import Reading
from sandbox.isolation.verdict import Ending, outcome_of
from sandbox.isolation.watch import Watch
from sandbox.program import MIB, Limits
from sandbox.worker.zygote import RESULT

START_SECONDS = 60.0
_MANY_USERS = "0 200000 65536\n"
_MESSAGE_BYTES = 8192
_WORK_STEP_BYTES = MIB


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What a zygote is told. Its fields are the keys of the zygote's `config`."""

    namespaces: bool
    user_namespace: bool
    many_users: bool
    """Whether users can be mapped, so that programs are another user than the zygote."""
    inside_uid: int | None
    """User that programs become; None leaves it."""
    filter: bool
    """Whether system calls are filtered."""
    is_counted: bool
    """Whether a control group counts the memory of all of a program's processes."""
    folders: Sequence[str]
    python_path: Sequence[str]
    preload: Sequence[str]
    work: str
    """The work folder, where it is not one of the namespaces' own."""
    clean: Sequence[str] = ()
    """Folders that are emptied after each program."""
    connect: str = ""
    """Where the zygote reaches its host, when it does not inherit its sockets."""
    work_bytes: int = 64 * MIB
    work_files: int = 4096


class WarmWorker:
    """One zygote. description: what holds its programs, layer by layer. layers: what it has built."""

    def __init__(
        self, link: Link, config: WorkerConfig, counters: Counters | None, description: str
    ) -> None:
        """Take over a started zygote and its counters. Raises IsolationUnavailable."""
        self.description = description
        self.is_broken = False
        self._link = link
        self._jobs, self._control = link.jobs, link.control
        self._counters = counters
        self._number = 0
        self._is_cancelled = False
        self._is_running = False
        """Whether a job was sent whose end was not told: only such a one may be killed."""
        self._lock = threading.Lock()
        self._work = (config.work_bytes, config.work_files)
        self._null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.layers = self._shake_hands(config)
        except BaseException:
            self.close()
            raise

    def _shake_hands(self, config: WorkerConfig) -> dict[str, object]:
        self._control.settimeout(START_SECONDS)
        if config.namespaces:
            self._expect(b"M")
            if config.user_namespace:
                self._map_users(many=config.many_users)
            self._control.send(b"G")
        return dict(json.loads(self._expect(b"R")))

    def _expect(self, kind: bytes) -> bytes:
        try:
            message = self._control.recv(_MESSAGE_BYTES)
        except OSError as error:
            message = str(error).encode()
        if message[:1] != kind:
            raise IsolationUnavailable(f"a worker did not start: {self._link.last_words()}")
        return message[1:]

    def _map_users(self, *, many: bool) -> None:
        proc = Path("/proc", str(self._link.process_id))
        try:
            if not many:
                (proc / "setgroups").write_text("deny")
            (proc / "uid_map").write_text(_MANY_USERS if many else f"1000 {os.getuid()} 1\n")
            (proc / "gid_map").write_text(_MANY_USERS if many else f"1000 {os.getgid()} 1\n")
        except OSError as error:
            raise IsolationUnavailable(
                f"users cannot be mapped into a user namespace ({error.strerror})"
            ) from error

    def run(self, job: Job) -> JobResult:
        """Run a job to its end. Raises SandboxUnavailable when we failed, RunCancelled."""
        with self._lock:
            self._is_cancelled = False
        try:
            return self._run(job)
        except RunCancelled:  # the job's end was told; the worker is good for the next
            raise
        except (OSError, EOFError, ValueError) as error:
            self.is_broken = True
            words = self._link.last_words()
            raise SandboxUnavailable(f"a worker failed: {error}; {words}") from error
        except BaseException:
            self.is_broken = True
            raise

    def _run(self, job: Job) -> JobResult:
        self._prepare(job)
        watch = Watch(self._counters, self._link.process_id, job)
        channel = Reading(channel_bytes(job)) if job.kind is Kind.CALLS else None
        stdout, stderr = Reading(job.limits.output_bytes), Reading(job.limits.output_bytes)
        collected = os.memfd_create("collected", os.MFD_CLOEXEC) if job.collect else None
        try:
            outputs = [reading for reading in (stdout, stderr, channel) if reading is not None]
            inside = [stdout.inside, stderr.inside]
            inside += [channel.inside] if channel else [collected] if collected is not None else []
            self._send(job, inside)
            self._begin()
            for reading in outputs:
                reading.leave_to_writer()
            watch.start()
            ending = self._wait(watch, outputs)
            files = {} if collected is None else self._collected(collected, job.limits)
        finally:
            for reading in (stdout, stderr, *([channel] if channel else [])):
                reading.close()
            if collected is not None:
                os.close(collected)
        return outcome_of(
            job, ending, watch, stdout=stdout, stderr=stderr, channel=channel, files=files,
            isolation=self.description,
        )  # fmt: skip

    def _prepare(self, job: Job) -> None:
        """Limits and work folder for this job, if the last one had others."""
        size = sum(map(len, job.files.values()))
        steps = 1 + size // _WORK_STEP_BYTES
        files = -(-len(job.files) // 100) * 200  # what it brings, and the folders of that
        work = (job.limits.file_bytes + steps * _WORK_STEP_BYTES, job.limits.num_files + files)
        if work != self._work:
            self._control.send(b"F%d %d" % work)
            self._expect(b"A")
            self._work = work
        if self._counters is not None:
            # With something to collect there is one process more, ours.
            self._counters.begin(job.limits, job.limits.processes + bool(job.collect))

    def _send(self, job: Job, inside: Sequence[int]) -> None:
        is_counted = self._counters is not None
        payload = encode_job(
            job,
            data_bytes=0 if is_counted else job.limits.memory_bytes,
            processes=0 if is_counted else job.limits.processes,
        )
        with contextlib.ExitStack() as files:
            source = files.enter_context(memory_file(payload))
            stdin = files.enter_context(memory_file(job.stdin)) if job.stdin else self._null
            socket.send_fds(self._jobs, [b"%d" % len(payload)], [source, stdin, *inside])

    def _begin(self) -> None:
        """From here on `cancel` kills the job; one that came before does so now."""
        with self._lock:
            self._is_running = True
            if self._is_cancelled:
                self._control.send(b"K%d" % self._number)

    def _wait(self, watch: Watch, outputs: Sequence[Reading]) -> Ending:
        """Read and watch until the zygote tells the end."""
        told = watch.until_end(self._control, outputs, self._kill)
        number, status, num_left, cpu_seconds, peak_bytes = RESULT.unpack(told)
        if number != self._number:
            raise ValueError(f"the end of job {number} was told instead of {self._number}")
        with self._lock:
            self._number += 1
            self._is_running = False
            is_cancelled = self._is_cancelled
        if is_cancelled:
            raise RunCancelled("the run was cancelled")
        words = self._words()
        if words[:1] == b"E":
            raise SandboxUnavailable(
                f"a program could not be started: {words[1:].decode(errors='replace')}"
            )
        return Ending(
            status=status,
            num_left=num_left,
            cpu_seconds=cpu_seconds,
            peak_bytes=peak_bytes,
            is_uncompilable=words[:1] == b"C",
        )

    def _words(self) -> bytes:
        """What the program's process said before it was the program."""
        try:
            return self._jobs.recv(_MESSAGE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""

    def _collected(self, descriptor: int, limits: Limits) -> dict[str, tuple[bytes, bool]]:
        size = min(os.fstat(descriptor).st_size, 2 * limits.file_bytes + MIB)
        return dict(decode_files(os.pread(descriptor, size, 0), limits.file_bytes))

    def _kill(self) -> None:
        with self._lock:
            self._control.send(b"K%d" % self._number)

    def cancel(self) -> None:
        """Make the job that runs end at once; called from another thread."""
        with self._lock:
            self._is_cancelled = True
            if self._is_running:
                with contextlib.suppress(OSError):
                    self._control.send(b"K%d" % self._number)

    def close(self) -> None:
        """End the zygote and all that is in it."""
        self._link.close()
        os.close(self._null)
        if self._counters is not None:
            self._counters.close()


def channel_bytes(job: Job) -> int:
    """Most that the results of all calls may take."""
    if job.call_seconds is not None:
        return job.limits.output_bytes + 64 * len(job.calls)
    return (job.limits.output_bytes + 256) * max(1, len(job.calls))
