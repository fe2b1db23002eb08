# verdict: ok ; what: changes the root of its mount namespace
import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 155, "aarch64": 41}[platform.machine()]
os.makedirs("new/old", exist_ok=True)
for new, old in ((b"new", b"new/old"), (b".", b"."), (b"/tmp", b"/tmp")):
    if libc.syscall(number, new, old) == 0:
        print("ESCAPED: the root is another one")
print("contained")
