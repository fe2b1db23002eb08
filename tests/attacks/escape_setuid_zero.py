# verdict: ok ; what: becomes root by asking for it
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
before = (os.geteuid(), os.getegid())
for change in (
    lambda: os.setuid(0),
    lambda: os.setreuid(0, 0),
    lambda: os.setresuid(0, 0, 0),
    lambda: os.setgid(0),
    lambda: os.setresgid(0, 0, 0),
    lambda: os.setgroups([0, 4, 27]),
):
    try:
        change()
    except OSError:
        continue
libc.setfsuid(0)
if before[0] != 0 and (os.geteuid() == 0 or libc.setfsuid(-1) == 0):
    print("ESCAPED: it is root now")
if before[1] != 0 and (os.getegid() == 0 or 0 in os.getgroups()):
    print("ESCAPED: it has root's group now")
print("contained")
