# verdict: ok ; what: copies the open descriptors of process 1 by pidfd_getfd
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
PIDFD_OPEN, PIDFD_GETFD = 434, 438
for process in {1, os.getppid()} - {0, os.getpid()}:
    handle = libc.syscall(PIDFD_OPEN, process, 0)
    for descriptor in range(32 if handle >= 0 else 0):
        copy = libc.syscall(PIDFD_GETFD, handle, descriptor, 0)
        if copy >= 0:
            print(f"ESCAPED: descriptor {descriptor} of process {process}")
print("contained")
