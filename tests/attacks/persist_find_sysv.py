# verdict: ok ; what: looks for what persist_leave_sysv left
import ctypes

KEY = 0x5EC4E7
libc = ctypes.CDLL(None, use_errno=True)
libc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]
for name, found in (
    ("memory", libc.shmget(KEY, 0, 0)),
    ("semaphores", libc.semget(KEY, 0, 0)),
    ("messages", libc.msgget(KEY, 0)),
):
    if found >= 0:
        print(f"ESCAPED: System V {name} of another run")
for name in ("shm", "sem", "msg"):
    try:
        with open(f"/proc/sysvipc/{name}") as table:
            if len(table.readlines()) > 1:
                print(f"ESCAPED: /proc/sysvipc/{name} is not empty")
    except OSError:
        continue
print("contained")
