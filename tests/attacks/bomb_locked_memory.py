# verdict: out_of_memory | ok ; what: locks 512 MiB, so that the host cannot take it back
import ctypes
import mmap
import time

SIZE = 512 << 20
libc = ctypes.CDLL(None, use_errno=True)
libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
try:
    area = mmap.mmap(-1, SIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    result = libc.mlock(address, SIZE)
    time.sleep(0.5)
    print("ESCAPED: 512 MiB locked" if result == 0 else "contained")
except (OSError, MemoryError):
    print("contained")
