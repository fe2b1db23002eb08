# verdict: ok ; what: opens every other kind of namespace
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
KINDS = {
    "time": 0x80,
    "mount": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
for name, flag in KINDS.items():
    if libc.unshare(flag) == 0:
        print(f"ESCAPED: a {name} namespace of its own")
print("contained")
