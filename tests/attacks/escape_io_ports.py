# verdict: ok ; what: asks for the input and output ports of the machine
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)
IOPL, IOPERM = 172, 173
if platform.machine() == "x86_64":
    if libc.syscall(IOPL, 3) == 0:
        print("ESCAPED: all ports")
    if libc.syscall(IOPERM, ctypes.c_ulong(0x70), ctypes.c_ulong(2), 1) == 0:
        print("ESCAPED: the ports of the clock")
print("contained")
