# verdict: ok ; what: opens a ring whose requests pass by every system-call filter
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
IO_URING_SETUP = 425
if libc.syscall(IO_URING_SETUP, 4, ctypes.create_string_buffer(120)) >= 0:
    print("ESCAPED: an io_uring")
print("contained")
