# verdict: ok ; what: looks for what persist_leave_keys left
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
keyctl, request = {"x86_64": (250, 249), "aarch64": (219, 218)}[platform.machine()]
SEARCH = 10
NAME = b"left-by-another-run"
for keyring in (-5, -4, -3):
    if libc.syscall(keyctl, SEARCH, keyring, b"user", NAME, 0) > 0:
        print("ESCAPED: a key of another run")
if libc.syscall(request, b"user", NAME, None, 0) > 0:
    print("ESCAPED: a key of another run was asked for, and came")
print("contained")
