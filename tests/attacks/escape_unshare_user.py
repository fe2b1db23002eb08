# verdict: ok ; what: opens a user namespace of its own, to be root there
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
NEW_USER, NEW_MOUNTS = 0x10000000, 0x20000
for flags in (NEW_USER, NEW_USER | NEW_MOUNTS):
    if libc.unshare(flags) == 0:
        print("ESCAPED: a user namespace of its own")
print("contained")
