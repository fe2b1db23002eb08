# verdict: ok ; what: loads another kernel
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 246, "aarch64": 104}[platform.machine()]
nothing = ctypes.c_ulong(0)
if libc.syscall(number, nothing, nothing, None, nothing) == 0:
    print("ESCAPED: kexec_load was carried out")
print("contained")
