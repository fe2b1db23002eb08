# verdict: ok ; what: leaves POSIX shared memory and a named semaphore, which outlive their process
import os

for name in ("left-by-another-run", "sem.left-by-another-run"):
    try:
        with open(f"/dev/shm/{name}", "wb") as file:
            file.write(bytes(32))
        os.chmod(f"/dev/shm/{name}", 0o666)
    except OSError:
        continue
print("contained")
