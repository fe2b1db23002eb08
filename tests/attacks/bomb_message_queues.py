# verdict: out_of_memory | ok ; what: takes the kernel's memory as messages that nobody receives
import ctypes

SIZE = 8000
NO_WAIT = 0o4000
libc = ctypes.CDLL(None, use_errno=True)
message = ctypes.create_string_buffer(b"\1" + bytes(7) + b"x" * SIZE)
libc.msgsnd.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

sent_bytes = 0
while sent_bytes < 256 << 20:
    queue = libc.msgget(0, 0o600)
    if queue < 0:
        print("contained")
        break
    while libc.msgsnd(queue, message, SIZE, NO_WAIT) == 0:
        sent_bytes += SIZE
else:
    print("ESCAPED: 256 MiB of messages")
