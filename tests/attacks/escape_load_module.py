# verdict: ok ; what: loads a kernel module; an empty one, so that "no module" means that it might
import ctypes
import errno
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
load, load_file = {"x86_64": (175, 313), "aarch64": (105, 273)}[platform.machine()]
empty = os.open("empty.ko", os.O_CREAT | os.O_RDWR)
for name, call in (
    ("init_module", lambda: libc.syscall(load, b"", ctypes.c_ulong(0), b"")),
    ("finit_module", lambda: libc.syscall(load_file, empty, b"", 0)),
):
    if call() == 0 or ctypes.get_errno() == errno.ENOEXEC:
        print(f"ESCAPED: {name} looked at the module")
print("contained")
