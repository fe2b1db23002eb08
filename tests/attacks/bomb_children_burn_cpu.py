# verdict: timed_out ; what: three children burn CPU while their parent sleeps ; limits: cpu_seconds=1, wall_seconds=6, memory_bytes=268435456
import os
import time

for _ in range(3):
    if os.fork() == 0:
        while True:
            pass
time.sleep(1000)
