# verdict: out_of_memory | ok ; what: pushes its pages out to swap, where a memory limit may not count them
import mmap
import time

PIECE = 16 << 20
PAGE_OUT = 21
kept = []
try:
    for _ in range(32):
        kept.append(mmap.mmap(-1, PIECE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        kept[-1].write(b"x" * PIECE)
        try:
            kept[-1].madvise(PAGE_OUT)
        except OSError:
            pass
    time.sleep(0.5)
    print("ESCAPED: 512 MiB, some of it on the host's disk")
except (OSError, MemoryError):
    print("contained")
