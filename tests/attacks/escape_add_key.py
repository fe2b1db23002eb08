# verdict: ok ; what: stores a key in the kernel, and asks for one
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
add, request = {"x86_64": (248, 249), "aarch64": (217, 218)}[platform.machine()]
for keyring in (-1, -2, -3, -4, -5):
    if libc.syscall(add, b"user", b"kept", b"data", ctypes.c_size_t(4), keyring) > 0:
        print(f"ESCAPED: a key in keyring {keyring}")
if libc.syscall(request, b"user", b"kept", None, 0) > 0:
    print("ESCAPED: a key was found")
print("contained")
