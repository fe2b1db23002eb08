# verdict: forbidden_call | runtime_error | ok ; what: calls by the x32 numbers, which a list of plain numbers does not see
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
X32, GET_PID, SOCKET = 0x40000000, 39, 41
if platform.machine() == "x86_64":
    for number in (GET_PID, SOCKET):
        result = libc.syscall(ctypes.c_long(X32 + number), 2, 1, 0)
        if result >= 0:
            print(f"ESCAPED: x32 call {number} returned {result}", flush=True)
print("contained")
