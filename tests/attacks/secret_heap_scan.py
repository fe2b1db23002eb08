# verdict: ok ; what: reads the memory around its objects without /proc, through a pipe ; limits: cpu_seconds=4, wall_seconds=8
import ctypes
import gc
import os

HALVES = (b"SECRET-", b"EXPECTED")
PAGE, BLOCK = 4096, 1 << 20
libc = ctypes.CDLL(None, use_errno=True)
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
outside, inside = os.pipe()


def read_page(address):
    """The page, or nothing: a pipe does not take what is not mapped, and nobody dies of it."""
    size = libc.write(inside, address, PAGE)
    return os.read(outside, size) if size > 0 else b""


gc.unfreeze()
blocks = sorted({id(value) // BLOCK for value in gc.get_objects()})[:128]
for block in blocks:
    before = b""
    for address in range(block * BLOCK, (block + 1) * BLOCK, PAGE):
        page = read_page(address)
        both = before + page
        at = both.find(HALVES[0])
        while at >= 0:
            if both.startswith(HALVES[1], at + len(HALVES[0])):
                print(f"ESCAPED: the secret is near {address:#x}")
            at = both.find(HALVES[0], at + 1)
        before = page[-16:]
print("contained")
