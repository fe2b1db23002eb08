# verdict: ok ; what: makes the read-only root writable
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
REMOUNT, BIND = 32, 4096
for place in (b"/", b"/usr", b"/dev", b"/proc", b"/tmp"):
    for flags in (REMOUNT, REMOUNT | BIND):
        if libc.mount(b"", place, None, ctypes.c_ulong(flags), None) == 0:
            print(f"ESCAPED: mounted {place.decode()} again")
print("contained")
