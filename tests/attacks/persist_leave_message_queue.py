# verdict: ok ; what: leaves a POSIX message queue, which outlives its process
import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 240, "aarch64": 180}[platform.machine()]
libc.syscall(number, b"left-by-another-run", os.O_CREAT | os.O_RDWR, 0o666, None)
print("contained")
