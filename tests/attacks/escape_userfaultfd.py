# verdict: ok ; what: holds the kernel up in the middle of its own copies, by userfaultfd
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 323, "aarch64": 282}[platform.machine()]
CLOSE_ON_EXEC, USER_MODE_ONLY = 0o2000000, 1
for flags in (CLOSE_ON_EXEC, CLOSE_ON_EXEC | USER_MODE_ONLY):
    if libc.syscall(number, flags) >= 0:
        print("ESCAPED: a userfaultfd")
print("contained")
