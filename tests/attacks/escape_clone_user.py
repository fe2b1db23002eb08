# verdict: ok ; what: has a child in a user namespace, by the flags of clone
import ctypes
import os
import platform
import signal

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
NEW_USER, NEW_NET = 0x10000000, 0x40000000
for flags in (NEW_USER, NEW_USER | NEW_NET, NEW_NET):
    child = libc.syscall(number, ctypes.c_ulong(flags | signal.SIGCHLD), 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    if child > 0:
        os.waitpid(child, 0)
        print("ESCAPED: a child in namespaces of its own")
print("contained")
