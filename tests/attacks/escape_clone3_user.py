# verdict: ok ; what: has a child in a user namespace by clone3, whose flags a filter cannot see
import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
CLONE3, NEW_USER = 435, 0x10000000
arguments = (ctypes.c_uint64 * 8)(NEW_USER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
child = libc.syscall(CLONE3, ctypes.byref(arguments), ctypes.c_size_t(64))
if child == 0:
    os._exit(0)
if child > 0:
    os.waitpid(child, 0)
    print("ESCAPED: a child in a user namespace of its own")
print("contained")
