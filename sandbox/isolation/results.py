"""Reads the results of calls. Every byte of them may be written by the program itself."""

import os
import signal
from collections.abc import Iterator
from typing import Any

from sandbox.isolation.isolation import Job
from sandbox.outcome import CallOutcome, Outcome, Verdict
from sandbox.worker.calls import DONE, END, FRAME, RAISED, RETURNED, THREW, TURN, VALUE

_TICKS_SECONDS = 0.1
"""How late the timer of a call may ring."""


def read_calls(content: bytes, job: Job, whole: Outcome) -> Iterator[CallOutcome]:
    """One outcome a call that was made, at most as many as were asked for; then the one that ended it.

    whole: what the program as a whole came to: the verdict of a call that never ended.
    """
    read = _in_forks if job.call_seconds is None else _in_turn
    num_read = 0
    for outcome in read(content):
        held = _held_to_time(outcome, job)
        yield held
        num_read += 1
        if num_read == len(job.calls) or (held.verdict is not Verdict.OK and read is _in_turn):
            return
    if num_read < len(job.calls):
        yield _unfinished(whole, job)


def _held_to_time(outcome: CallOutcome, job: Job) -> CallOutcome:
    """Out of time if it says itself that it took too long: a program can ignore the timer's signal."""
    most = None if job.call_seconds is None else job.call_seconds + _TICKS_SECONDS
    if most is None or outcome.verdict is not Verdict.OK or outcome.cpu_seconds <= most:
        return outcome
    return CallOutcome(verdict=Verdict.TIMED_OUT, cpu_seconds=outcome.cpu_seconds)


def _unfinished(whole: Outcome, job: Job) -> CallOutcome:
    """The call in which the program ended."""
    if whole.signal == signal.SIGPROF:
        # Where its timer counts ticks, it rings before the exact clock is there: what rang decides
        # that it was CPU time.
        spent = max(whole.cpu_seconds, job.call_seconds or 0.0)
        return CallOutcome(verdict=Verdict.TIMED_OUT, cpu_seconds=spent)
    if whole.signal == signal.SIGALRM:
        return CallOutcome(verdict=Verdict.TIMED_OUT, cpu_seconds=whole.cpu_seconds)
    if whole.verdict is not Verdict.OK:
        return CallOutcome(
            verdict=whole.verdict,
            error=_last_line(whole.stderr),
            cpu_seconds=whole.cpu_seconds,
            wall_seconds=whole.wall_seconds,
        )
    return CallOutcome(verdict=Verdict.RUNTIME_ERROR, error="it ended before the call")


def _in_forks(content: bytes) -> Iterator[CallOutcome]:
    said = None
    for kind, body in _frames(content):
        if kind in (VALUE, RAISED):
            said = kind, body
        elif kind == END and len(body) == DONE.size:
            yield _outcome(said, DONE.unpack(body))
            said = None


def _frames(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each frame that is whole."""
    at = 0
    while at + FRAME.size <= len(content):
        kind, size = FRAME.unpack_from(content, at)
        at += FRAME.size
        if at + size > len(content):
            return
        yield kind, content[at : at + size]
        at += size


def _in_turn(content: bytes) -> Iterator[CallOutcome]:
    at = 0
    while at + TURN.size <= len(content):
        kind, seconds, size = TURN.unpack_from(content, at)
        at += TURN.size
        if kind not in (RETURNED, THREW) or at + size > len(content):
            return
        body = content[at : at + size]
        at += size
        if kind == RETURNED:
            yield CallOutcome(verdict=Verdict.OK, encoded=body, cpu_seconds=seconds)
        else:
            yield _raised(body)


def _raised(body: bytes, cpu_seconds: float = 0.0, wall_seconds: float = 0.0) -> CallOutcome:
    error = body.decode(errors="replace")
    is_memory = error.startswith("MemoryError")
    return CallOutcome(
        verdict=Verdict.OUT_OF_MEMORY if is_memory else Verdict.RUNTIME_ERROR,
        error=error,
        cpu_seconds=cpu_seconds,
        wall_seconds=wall_seconds,
    )


def _outcome(said: tuple[bytes, bytes] | None, done: tuple[Any, ...]) -> CallOutcome:
    status, cpu_seconds, wall_seconds, is_late = done
    is_cpu_signal = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
    verdict, encoded, error = Verdict.OK, b"", ""
    if is_late or is_cpu_signal:
        verdict = Verdict.TIMED_OUT
    elif said is None:
        verdict = Verdict.RUNTIME_ERROR
        error = f"it ended without a result (wait status {status})"
    elif said[0] == RAISED:
        return _raised(said[1], cpu_seconds, wall_seconds)
    else:
        encoded = said[1]
    return CallOutcome(
        verdict=verdict,
        encoded=encoded,
        error=error,
        cpu_seconds=cpu_seconds,
        wall_seconds=wall_seconds,
    )


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1][:1000] if lines else ""
