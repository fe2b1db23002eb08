"""Freed memory is kept for the next step: a learner asks for the same sizes again and again.

glibc gives large pieces back to the system on free, and the system hands out fresh pages filled with
zeros: a step of 4,000 tokens of a 135M model touched 1.4 million new pages, a third of its time on a
virtual machine. Kept, it touches none. Resident memory stands still only where sizes are few: see
learner_step.ROUND_UP_TOKENS. One arena, because each thread's own would keep its own.
"""

import ctypes
import functools

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8  # malloc.h
_MOST = 2**31 - 1
_TOP_PAD_BYTES = 64 * 2**20


@functools.cache
def keep_freed_memory() -> bool:
    """For the whole process, once; False where the C library has no such settings, which does no harm."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = (
        (_MMAP_MAX, 0), (_TRIM_THRESHOLD, _MOST), (_TOP_PAD, _TOP_PAD_BYTES), (_ARENA_MAX, 1)
    )  # fmt: skip
    accepted = [mallopt(name, value) == 1 for name, value in settings]
    return all(accepted)
