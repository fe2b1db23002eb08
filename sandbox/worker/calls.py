"""Calls of a function of a program that was loaded once: each in a fork of its own, or all in turn.

What a call returns goes to the host over a channel that the program could write to as well; it gains
nothing by it, because the host compares what comes with answers that are not in here: a forged
answer has to be the right one. Frames: VALUE text, RAISED text, DONE how the call ended; the host
takes the last VALUE or RAISED before each DONE, and reads all of it as hostile. Calls in turn are
told by one RETURNED or THREW each, in order, several at a time.
"""

import functools
import os
import resource
import select
import signal
import struct
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable
from typing import Any

from sandbox.worker import ending, kernel, values

FRAME = struct.Struct("<cI")
"""Kind and length of what follows."""

DONE = struct.Struct("<iddB")
"""Wait status, CPU seconds, wall seconds, whether it was stopped at its time."""

TURN = struct.Struct("<cfI")
"""Kind, CPU seconds, and length of what follows, for calls in turn."""

MODULE = "solution"
"""What a program's __name__ is when its functions are called."""

VALUE, RAISED, END = b"V", b"X", b"D"
RETURNED, THREW = b"r", b"x"
_POLL_SECONDS = 0.05
_HOLD_SECONDS = 0.002
_HOLD_BYTES = 1 << 15
"""Results are told together until this is reached: a call may take less time than telling it."""

_TIMER_SLACK = 0.01
"""A call in turn gets its CPU time, and at most this share of it more."""


class Calls:
    """Takes the place of a program's ending: called when its source has run; does not return.

    asked: function (an expression in the program's names), arguments (one tuple a call),
    cpu_seconds and wall_seconds of one call, is_in_turn.
    """

    def __init__(
        self,
        asked: "dict[str, Any]",
        channel: int,
        module: types.ModuleType,
        finish: ending.Ending,
    ) -> None:
        self._asked = asked
        self._channel = channel
        self._names = module.__dict__
        # It is used, not run: what a program does only as the main one is not wanted.
        self._names["__name__"] = MODULE
        sys.modules[MODULE] = module
        self._finish = finish

    def __call__(self, error: "BaseException | None") -> None:
        if error is not None:
            self._finish(error)
        sys.stdout.flush()
        if self._asked["is_in_turn"]:
            self._call_in_turn()
        for arguments in self._asked["arguments"]:
            began = time.monotonic()
            child = os.fork() if threading.active_count() > 1 else kernel.fork()
            if child == 0:
                self._call(arguments)
            status, cpu_seconds, is_late = self._wait(child)
            wall_seconds = time.monotonic() - began
            self._send(END, DONE.pack(status, cpu_seconds, wall_seconds, is_late))
        self._finish(None)

    def _call(self, arguments: "tuple[Any, ...]") -> None:
        try:
            limit = int(self._asked["cpu_seconds"]) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            function = eval(self._asked["function"], self._names)
            frame = VALUE, values.encode(function(*arguments))
        except BaseException as error:  # noqa: BLE001  # the program's own, SystemExit included
            frame = RAISED, _said(error)
        self._send(*frame)
        sys.stdout.flush()
        os._exit(0)

    def _call_in_turn(self) -> None:
        """All calls in this process; the first that raises is the last. Does not return."""
        null = os.open("/dev/null", os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        seconds = self._asked["cpu_seconds"]
        clock, encode, pack = time.process_time, values.encode, TURN.pack
        set_timer, sleep_timer = signal.setitimer, signal.ITIMER_REAL
        # By the clock, for a call that sleeps; so long that waiting for a processor is no reason.
        sleep_seconds = 5 + 5 * seconds
        for number in (signal.SIGPROF, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        held: list[bytes] = []
        size, told_at = 0, clock()
        # Set anew only after so much time: most calls take less than setting it.
        slack = seconds * _TIMER_SLACK
        limit = _cpu_timer()
        armed_at = clock()
        limit(seconds + slack)
        try:
            function = eval(self._asked["function"], self._names)
            for arguments in self._asked["arguments"]:
                set_timer(sleep_timer, sleep_seconds)
                began = clock()
                if began - armed_at > slack:
                    armed_at = began
                    limit(seconds + slack)
                # Writing what holds itself twice would take for ever: it is within the call's time,
                # and within the time that is told, which others' limits are made of.
                content = encode(function(*arguments))
                ended = clock()
                set_timer(sleep_timer, 0)
                held += (pack(RETURNED, ended - began, len(content)), content)
                size += len(content)
                if ended - told_at > _HOLD_SECONDS or size > _HOLD_BYTES:
                    self._write(b"".join(held))
                    held, size, told_at = [], 0, clock()
        except BaseException as error:  # noqa: BLE001  # the program's own, SystemExit included
            set_timer(sleep_timer, 0)
            content = _said(error)
            held += (pack(THREW, 0.0, len(content)), content)
        self._write(b"".join(held))
        os._exit(0)

    def _wait(self, child: int) -> "tuple[int, float, bool]":
        """Wait status, CPU seconds, and whether it was stopped at its time."""
        handle = os.pidfd_open(child)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        clock = (~child << 3) | 2  # the kernel's number for the CPU clock of another process
        deadline = time.monotonic() + self._asked["wall_seconds"]
        is_late = False
        while not poll.poll(_POLL_SECONDS * 1000):
            try:
                cpu_seconds = time.clock_gettime(clock)
            except OSError:  # it has just ended
                continue
            if time.monotonic() > deadline or cpu_seconds > self._asked["cpu_seconds"]:
                is_late = True
                os.kill(child, signal.SIGKILL)
        os.close(handle)
        _, status, used = os.wait4(child, 0)
        cpu_seconds = used.ru_utime + used.ru_stime
        return status, cpu_seconds, is_late or cpu_seconds > self._asked["cpu_seconds"]

    def _send(self, kind: bytes, content: bytes) -> None:
        self._write(FRAME.pack(kind, len(content)) + content)

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self._channel, view) :]


def _cpu_timer() -> "Callable[[float], object]":
    """Sets this process' own limit of CPU time, in seconds from then on."""
    try:
        return kernel.CpuTimer(signal.SIGPROF).arm
    except OSError:  # gVisor has ticks only
        return functools.partial(signal.setitimer, signal.ITIMER_PROF)


def _said(error: BaseException) -> bytes:
    lines = traceback.format_exception_only(type(error), error)
    return "".join(lines).strip().encode("utf-8", "replace")[-1000:]
