# verdict: ok ; what: opens the memory of process 1 as a file, to read and to write it
import os

for process in {1, os.getppid()} - {0, os.getpid()}:
    for mode in ("rb", "r+b"):
        try:
            with open(f"/proc/{process}/mem", mode, buffering=0) as memory:
                memory.seek(id(None))
                if memory.read(16):
                    print(f"ESCAPED: the memory of process {process}, opened {mode}")
        except OSError:
            continue
print("contained")
