# verdict: ok ; what: makes a map and loads a program by bpf
import ctypes
import platform
import struct

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
CREATE_MAP, LOAD_PROGRAM = 0, 5
SOCKET_FILTER = 1
array = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1), 48)
if libc.syscall(number, CREATE_MAP, array, 48) >= 0:
    print("ESCAPED: a bpf map")
code = ctypes.create_string_buffer(struct.pack("QQ", 0xB7, 0x95), 16)  # r0 = 0; exit
licence = ctypes.create_string_buffer(b"GPL")
attributes = struct.pack(
    "IIQQ", SOCKET_FILTER, 2, ctypes.addressof(code), ctypes.addressof(licence)
)
if libc.syscall(number, LOAD_PROGRAM, ctypes.create_string_buffer(attributes, 48), 48) >= 0:
    print("ESCAPED: a bpf program")
print("contained")
