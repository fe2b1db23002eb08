# verdict: ok ; what: attaches a debugger to its parent and to process 1
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
ATTACH, SEIZE, DETACH = 16, 0x4206, 17
for process in {1, os.getppid()} - {0, os.getpid()}:
    for request in (SEIZE, ATTACH):
        if libc.ptrace(request, process, None, None) == 0:
            libc.ptrace(DETACH, process, None, None)
            print(f"ESCAPED: attached to process {process}")
print("contained")
