# verdict: ok ; what: switches off the randomness of addresses, and makes data executable
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 135, "aarch64": 92}[platform.machine()]
NO_RANDOMNESS, READ_IMPLIES_EXEC, QUERY = 0x40000, 0x400000, 0xFFFFFFFF
before = libc.syscall(number, ctypes.c_ulong(QUERY))
libc.syscall(number, ctypes.c_ulong(NO_RANDOMNESS | READ_IMPLIES_EXEC))
after = libc.syscall(number, ctypes.c_ulong(QUERY))
if after >= 0 and after != before:
    print(f"ESCAPED: its personality is {after:#x} now")
print("contained")
