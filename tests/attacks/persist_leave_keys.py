# verdict: ok ; what: leaves a key in the kernel's keyrings of its user, which outlive processes
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 248, "aarch64": 217}[platform.machine()]
for keyring in (-5, -4, -3):
    libc.syscall(number, b"user", b"left-by-another-run", b"left", ctypes.c_size_t(4), keyring)
print("contained")
