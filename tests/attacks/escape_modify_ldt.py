# verdict: ok ; what: writes a segment descriptor of its own, a rare call with a bad past
import ctypes
import platform
import struct

libc = ctypes.CDLL(None, use_errno=True)
MODIFY_LDT, WRITE = 154, 1
if platform.machine() == "x86_64":
    entry = struct.pack("IIII", 0, 0, 0xFFFFF, 0b1010001)
    if libc.syscall(MODIFY_LDT, WRITE, entry, ctypes.c_ulong(len(entry))) == 0:
        print("ESCAPED: a segment of its own")
print("contained")
