# verdict: ok ; what: gives itself every capability
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
capget, capset = {"x86_64": (125, 126), "aarch64": (90, 91)}[platform.machine()]
VERSION = 0x20080522
header = (ctypes.c_uint32 * 2)(VERSION, 0)
wanted = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
libc.syscall(capset, ctypes.byref(header), ctypes.byref(wanted))
one = (ctypes.c_uint32 * 6)(*[1 << 21] * 3, 0, 0, 0)  # CAP_SYS_ADMIN
libc.syscall(capset, ctypes.byref(header), ctypes.byref(one))
held = (ctypes.c_uint32 * 6)()
libc.syscall(capget, ctypes.byref(header), ctypes.byref(held))
if any(held):
    print(f"ESCAPED: it holds the capabilities {[hex(value) for value in held]}")
print("contained")
