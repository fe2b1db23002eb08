# verdict: timed_out ; what: burns CPU in one short child after the other, none near the limit ; limits: cpu_seconds=1, wall_seconds=6
import os
import time

while True:
    child = os.fork()
    if child == 0:
        while time.process_time() < 0.2:
            pass
        os._exit(0)
    os.waitpid(child, 0)
