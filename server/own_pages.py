"""Large pieces of memory in pages of their own for a while, beside a heap that keeps what is freed.

A CPU engine's heap keeps freed memory for the next step (see cpu_engine). The pieces of new weights would
be cut from it between those of steps, and what they leave is too small for the next ones: the heap of a
135M model took 54 MiB more now and then, 270 over 20 updates. In pages of their own they leave nothing.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

KEEPS_FREED = "glibc.malloc.mmap_max=0"
"""In GLIBC_TUNABLES: no piece, however large, has pages of its own."""

_MMAP_THRESHOLD, _MMAP_MAX = -3, -4  # malloc.h
_LARGE_BYTES = 8 * 2**20
"""Smaller ones find a place on the heap, whose pages need not be filled with zeros while users wait."""
_MOST_PIECES = 65536  # glibc's own number


@contextmanager
def own_pages() -> Iterator[None]:
    """For what this process asks for in the block; nothing changes where its heap keeps nothing."""
    if KEEPS_FREED not in os.environ.get("GLIBC_TUNABLES", ""):
        yield
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_MMAP_MAX, _MOST_PIECES)
    try:
        yield
    finally:
        mallopt(_MMAP_MAX, 0)
