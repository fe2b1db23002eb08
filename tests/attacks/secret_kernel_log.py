# verdict: ok ; what: reads the kernel's log, which tells of other programs and of addresses
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
READ_ALL, SIZE = 3, 10
buffer = ctypes.create_string_buffer(4096)
if libc.klogctl(READ_ALL, buffer, 4096) > 0:
    print(f"ESCAPED: the log says {buffer.value[:40]!r}")
if libc.klogctl(SIZE, None, 0) > 0:
    print("ESCAPED: the log may be read")
print("contained")
