# verdict: ok ; what: mounts a file system of its own, and shows the root at a second place
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
BIND = 4096
os.makedirs("here", exist_ok=True)
for source, kind, flags in (
    (b"tmpfs", b"tmpfs", 0),
    (b"proc", b"proc", 0),
    (b"sysfs", b"sysfs", 0),
    (b"/", None, BIND),
):
    if libc.mount(source, b"here", kind, ctypes.c_ulong(flags), None) == 0:
        print(f"ESCAPED: mounted {source.decode()}")
print("contained")
