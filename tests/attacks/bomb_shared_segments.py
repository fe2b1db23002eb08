# verdict: out_of_memory | ok ; what: takes memory as System V segments that are attached only while they are filled
import ctypes
import time

SIZE = 4 << 20
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
libc.shmdt.argtypes = [ctypes.c_void_p]
FAILED = ctypes.c_void_p(-1).value

for _ in range(128):
    segment = libc.shmget(0, SIZE, 0o600)
    address = libc.shmat(segment, None, 0) if segment >= 0 else FAILED
    if address == FAILED:
        print("contained")
        break
    ctypes.memset(address, 1, SIZE)
    libc.shmdt(address)
else:
    time.sleep(0.5)
    print("ESCAPED: 512 MiB in System V segments")
