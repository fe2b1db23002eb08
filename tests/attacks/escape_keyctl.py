# verdict: ok ; what: reaches the keyrings of its session and its user
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 250, "aarch64": 219}[platform.machine()]
GET_KEYRING, JOIN_SESSION = 0, 1
for keyring in (-1, -2, -3, -4, -5):
    serial = libc.syscall(number, GET_KEYRING, keyring, 1)
    if serial > 0:
        print(f"ESCAPED: keyring {keyring} has serial {serial}")
if libc.syscall(number, JOIN_SESSION, None) > 0:
    print("ESCAPED: it joined a session keyring")
print("contained")
