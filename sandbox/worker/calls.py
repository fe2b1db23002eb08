"""Calls of a function of a program that was loaded once, each in a fork of its own.

What a call returns goes to the host over a channel that the program could write to as well; it gains
nothing by it, because the host compares what comes with answers that are not in here: a forged
answer has to be the right one. Frames: VALUE text, RAISED text, DONE how the call ended; the host
takes the last VALUE or RAISED before each DONE, and reads all of it as hostile.
"""

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
from typing import Any

from sandbox.worker import ending, kernel, values

FRAME = struct.Struct("<cI")
"""Kind and length of what follows."""

DONE = struct.Struct("<iddB")
"""Wait status, CPU seconds, wall seconds, whether it was stopped at its time."""

VALUE, RAISED, END = b"V", b"X", b"D"
_POLL_SECONDS = 0.05


class Calls:
    """Takes the place of a program's ending: called when its source has run; does not return.

    asked: function (an expression in the program's names), arguments (encoded, one list a call),
    cpu_seconds and wall_seconds of one call.
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
        self._finish = finish

    def __call__(self, error: "BaseException | None") -> None:
        if error is not None:
            self._finish(error)
        sys.stdout.flush()
        for arguments in self._asked["arguments"]:
            began = time.monotonic()
            child = os.fork() if threading.active_count() > 1 else kernel.fork()
            if child == 0:
                self._call(arguments)
            status, cpu_seconds, is_late = self._wait(child)
            wall_seconds = time.monotonic() - began
            self._send(END, DONE.pack(status, cpu_seconds, wall_seconds, is_late))
        self._finish(None)

    def _call(self, arguments: str) -> None:
        try:
            limit = int(self._asked["cpu_seconds"]) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            function = eval(self._asked["function"], self._names)
            frame = VALUE, values.encode(function(*values.decode(arguments.encode())))
        except BaseException as error:  # noqa: BLE001  # the program's own, SystemExit included
            lines = traceback.format_exception_only(type(error), error)
            frame = RAISED, "".join(lines).strip().encode("utf-8", "replace")[-1000:]
        self._send(*frame)
        sys.stdout.flush()
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
        view = memoryview(FRAME.pack(kind, len(content)) + content)
        while view:
            view = view[os.write(self._channel, view) :]
