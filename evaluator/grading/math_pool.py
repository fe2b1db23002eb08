"""Warm processes that compare mathematical answers: killed and replaced when one takes too long.

A comparison that hits its limit of CPU time is "not equal", with that reason; a process that cannot
be had, or that ends for another cause, is our failure and an exception.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

CPU_SECONDS = 10
"""Most that one comparison may use: math-verify's own limits are 5 s of parsing and 5 of comparing."""
WALL_SECONDS = 120.0
"""Past it the machine is too busy to compare anything, which is no answer's fault."""
MAX_LENGTH = 20_000
"""Characters of an answer that are looked at, from its end: boxes stand there."""


@dataclass(frozen=True, kw_only=True)
class Equality:
    """Whether an answer equals the truth; reason: why it was not even compared to the end, or ""."""

    is_equal: bool
    reason: str = ""


class MathPool:
    """Starts processes as they are needed, at most one for each processor. Safe for many threads."""

    def __init__(self, size: int | None = None, *, cpu_seconds: int = CPU_SECONDS) -> None:
        self._slots = threading.BoundedSemaphore(size or os.cpu_count() or 1)
        self._cpu_seconds = cpu_seconds
        self._idle: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()  # of _idle

    def compare(self, rule: str, answer: str, truth: str) -> Equality:
        """Compare by a rule of math_worker.COMPARISONS. Raises OSError when our process failed."""
        with self._slots:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            worker = worker or self._started()
            request = {"rule": rule, "answer": answer[-MAX_LENGTH:], "truth": truth}
            try:
                reply = _reply(worker, json.dumps(request).encode() + b"\n")
            except BaseException:
                _end(worker)
                raise
            if reply is None:
                return self._after_end(worker, rule)
            with self._lock:
                self._idle.append(worker)
            return Equality(**json.loads(reply))

    def close(self) -> None:
        """End the idle processes; busy ones end with this process."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            _end(worker)

    def _started(self) -> subprocess.Popen[bytes]:
        # sympy's order of terms follows hashes: with one seed a verdict repeats.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        command = [sys.executable, "-m", "evaluator.grading.math_worker", str(self._cpu_seconds)]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONHASHSEED": "0", "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for us to answer
        )

    def _after_end(self, worker: subprocess.Popen[bytes], rule: str) -> Equality:
        _end(worker)
        if worker.returncode == -signal.SIGXCPU:
            limit = f"comparing takes more than {self._cpu_seconds} CPU-seconds"
            return Equality(is_equal=False, reason=limit)
        raise ChildProcessError(
            f"the process that compares by {rule} ended with {worker.returncode}: it may only end"
            " when its time is up; look for what killed it, such as a lack of memory"
        )


def _reply(worker: subprocess.Popen[bytes], request: bytes) -> bytes | None:
    """The worker's line, or None when it ended. Raises TimeoutError, an OSError."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(request)
        worker.stdin.flush()
    except BrokenPipeError:
        return None
    deadline = time.monotonic() + WALL_SECONDS
    poll = select.poll()
    poll.register(worker.stdout, select.POLLIN)
    reply = b""
    while not reply.endswith(b"\n"):
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError(
                f"a comparison got less than its CPU time within {WALL_SECONDS:.0f} s: this machine"
                " is too busy; grade again with less beside it"
            )
        some = os.read(worker.stdout.fileno(), 65536)
        if not some:
            return None
        reply += some
    return reply


def _end(worker: subprocess.Popen[bytes]) -> None:
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    if worker.poll() is None:
        try:
            worker.wait(1.0)
        except subprocess.TimeoutExpired:
            worker.kill()
    worker.wait()
