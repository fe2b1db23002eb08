"""Reads the results of calls. Every byte of them may be written by the program itself."""

import os
import signal
from collections.abc import Iterator
from typing import Any

from sandbox.outcome import CallOutcome, Outcome, Verdict
from sandbox.worker.calls import DONE, END, FRAME, RAISED, VALUE
from sandbox.worker.values import UnreadableValue, decode


def read_calls(content: bytes, num_calls: int, whole: Outcome) -> Iterator[CallOutcome]:
    """One outcome a call that was made, at most num_calls; then the one that ended the program.

    whole: what the program as a whole came to: the verdict of a call that never ended.
    """
    num_read, said = 0, None
    for kind, body in _frames(content):
        if kind in (VALUE, RAISED):
            said = kind, body
        elif kind == END and len(body) == DONE.size and num_read < num_calls:
            yield _outcome(said, DONE.unpack(body))
            num_read, said = num_read + 1, None
    if num_read < num_calls and whole.verdict is not Verdict.OK:
        yield CallOutcome(verdict=whole.verdict, error=_last_line(whole.stderr))
    elif num_read < num_calls:
        yield CallOutcome(verdict=Verdict.RUNTIME_ERROR, error="it ended before the call")


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


def _outcome(said: tuple[bytes, bytes] | None, done: tuple[Any, ...]) -> CallOutcome:
    status, cpu_seconds, wall_seconds, is_late = done
    verdict, value, error = _judge(said, status, is_late=bool(is_late))
    return CallOutcome(
        verdict=verdict,
        value=value,
        error=error,
        cpu_seconds=cpu_seconds,
        wall_seconds=wall_seconds,
    )


def _judge(
    said: tuple[bytes, bytes] | None, status: int, *, is_late: bool
) -> tuple[Verdict, Any, str]:
    if is_late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return Verdict.TIMED_OUT, None, ""
    if said is None:
        return Verdict.RUNTIME_ERROR, None, f"it ended without a result (wait status {status})"
    kind, body = said
    if kind == RAISED:
        error = body.decode(errors="replace")
        is_memory = error.startswith("MemoryError")
        return (Verdict.OUT_OF_MEMORY if is_memory else Verdict.RUNTIME_ERROR), None, error
    try:
        return Verdict.OK, decode(body), ""
    except UnreadableValue as unreadable:
        return Verdict.RUNTIME_ERROR, None, f"what it returned cannot be read: {unreadable}"


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1][:1000] if lines else ""
