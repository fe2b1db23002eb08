# verdict: ok ; what: reads the memory of process 1 by process_vm_readv, where its own None is
import ctypes
import platform


class Piece(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("size", ctypes.c_size_t)]


libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 310, "aarch64": 270}[platform.machine()]
buffer = ctypes.create_string_buffer(16)
here = Piece(ctypes.addressof(buffer), 16)
there = Piece(id(None), 16)
one = ctypes.c_ulong(1)
num_read = libc.syscall(
    number, 1, ctypes.byref(here), one, ctypes.byref(there), one, ctypes.c_ulong(0)
)
if num_read > 0:
    print(f"ESCAPED: {num_read} bytes of process 1")
print("contained")
