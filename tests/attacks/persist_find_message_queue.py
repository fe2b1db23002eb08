# verdict: ok ; what: looks for what persist_leave_message_queue left
import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 240, "aarch64": 180}[platform.machine()]
if libc.syscall(number, b"left-by-another-run", os.O_RDWR, 0, None) >= 0:
    print("ESCAPED: a message queue of another run")
print("contained")
