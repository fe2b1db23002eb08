# verdict: out_of_memory ; what: descendants take the memory, and the parent ends with 0 as if nothing had been
import os
import time

PIECE = 8 << 20


def take(so_far_bytes):
    """Take memory; one that is refused more leaves the rest to a child of its own."""
    pieces = []
    try:
        while so_far_bytes < 512 << 20:
            pieces.append(b"x" * PIECE)
            so_far_bytes += PIECE
        time.sleep(0.5)
        print("ESCAPED: 512 MiB in a child", flush=True)
    except MemoryError:
        child = os.fork()
        if child == 0:
            take(so_far_bytes)
        os.waitpid(child, 0)
    os._exit(0)


child = os.fork()
if child == 0:
    take(0)
os.waitpid(child, 0)
print("contained")
