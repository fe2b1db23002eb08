"""Program: another program that ends with its starter, however that ends.

    python -m deploy.loop.tethered SIGNAL PARENT_PID COMMAND...

The kernel sends the signal when the parent is gone; the tie outlasts the exec.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def main(words: Sequence[str]) -> None:
    """Tie, look whether the parent is still there, and become the command."""
    number, parent = signal.Signals[words[0]], int(words[1])
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    # The parent may have ended before the tie was made.
    if os.getppid() == parent:
        os.execvp(words[2], list(words[2:]))


if __name__ == "__main__":
    main(sys.argv[1:])
