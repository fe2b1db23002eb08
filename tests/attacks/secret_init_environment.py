# verdict: ok ; what: reads the environment of process 1 and of its parent
import os

for process in {1, os.getppid()} - {0, os.getpid()}:
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            content = file.read()
    except OSError:
        continue
    if content:
        print(f"ESCAPED: process {process} has {len(content)} bytes of environment")
print("contained")
