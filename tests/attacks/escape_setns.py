# verdict: ok ; what: enters the namespaces of process 1, by its files and by a handle
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
PIDFD_OPEN = 434
ALL_KINDS = 0x7E020000
for process in ("1", "self", str(os.getppid())):
    for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"):
        try:
            descriptor = os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY)
        except OSError:
            continue
        if libc.setns(descriptor, 0) == 0:
            print(f"ESCAPED: entered the {name} namespace of {process}")
handle = libc.syscall(PIDFD_OPEN, 1, 0)
if handle >= 0 and libc.setns(handle, ALL_KINDS) == 0:
    print("ESCAPED: entered all namespaces of process 1")
print("contained")
