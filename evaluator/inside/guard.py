"""What the official Python harnesses do to a process before they run a solution in it."""

import builtins
import contextlib
import faulthandler
import io
import os
import shutil
import signal
import subprocess
import sys

_TAKEN_FROM_OS = [
    "kill",
    "system",
    "putenv",
    "remove",
    "removedirs",
    "rmdir",
    "fchdir",
    "setuid",
    "fork",
    "forkpty",
    "killpg",
    "rename",
    "renames",
    "truncate",
    "replace",
    "unlink",
    "fchmod",
    "fchown",
    "chmod",
    "chown",
    "chroot",
    "lchflags",
    "lchmod",
    "lchown",
    "getcwd",
    "chdir",
]


class OutOfTime(Exception):
    """Raised in a solution by the clock, as the harnesses do: a solution may catch it."""


OutOfTime.__name__ = OutOfTime.__qualname__ = "TimeoutException"


def guard(*, is_open_taken):
    """Take away what the harnesses take away. is_open_taken: EvalPlus takes open() too."""
    faulthandler.disable()
    builtins.exit = builtins.quit = builtins.help = None
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in _TAKEN_FROM_OS:
        setattr(os, name, None)
    shutil.rmtree = shutil.move = shutil.chown = None
    subprocess.Popen = None
    if is_open_taken:
        builtins.open = None
    for name in ("ipdb", "joblib", "resource", "psutil", "tkinter"):
        sys.modules[name] = None


class WriteOnly(io.StringIO):
    """Takes what is written and refuses to be read."""

    def read(self, *_arguments, **_named):
        raise OSError

    readline = readlines = read

    def readable(self, *_arguments, **_named):
        return False


@contextlib.contextmanager
def swallowed():
    """Standard streams go nowhere, and reading raises."""
    kept = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = sys.stdout = sys.stderr = WriteOnly()
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept


@contextlib.contextmanager
def limited(seconds):
    """Raise OutOfTime in what runs longer, by the wall clock."""

    def ring(_number, _frame):
        raise OutOfTime("Timed out!")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
