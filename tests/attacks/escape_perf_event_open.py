# verdict: ok ; what: measures other programs by the kernel's performance counters
import ctypes
import platform
import struct

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 298, "aarch64": 241}[platform.machine()]
SOFTWARE, CPU_CLOCK, SIZE = 1, 0, 112
NOT_KERNEL = 1 << 5 | 1 << 6
attributes = struct.pack("IIQQQQQ", SOFTWARE, SIZE, CPU_CLOCK, 0, 0, 0, NOT_KERNEL)
buffer = ctypes.create_string_buffer(attributes, SIZE)
for process, cpu in ((0, -1), (-1, 0), (1, -1)):
    if libc.syscall(number, buffer, process, cpu, -1, ctypes.c_ulong(0)) >= 0:
        print(f"ESCAPED: a counter of process {process}")
print("contained")
