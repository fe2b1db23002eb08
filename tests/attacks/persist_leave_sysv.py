# verdict: ok ; what: leaves System V memory, semaphores and messages, which outlive their process
import ctypes

KEY = 0x5EC4E7
CREATE = 0o1666
libc = ctypes.CDLL(None, use_errno=True)
libc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]
libc.shmat.restype = ctypes.c_void_p
memory = libc.shmget(KEY, 4096, CREATE)
libc.semget(KEY, 1, CREATE)
queue = libc.msgget(KEY, CREATE)
if queue >= 0:
    libc.msgsnd(queue, ctypes.c_char_p(b"\1" + bytes(7) + b"left"), ctypes.c_size_t(4), 0)
print("contained")
