# verdict: ok ; what: looks for what persist_leave_shared_memory left
import os

for name in ("left-by-another-run", "sem.left-by-another-run"):
    if os.path.lexists(f"/dev/shm/{name}"):
        print(f"ESCAPED: /dev/shm/{name} is still there")
print("contained")
