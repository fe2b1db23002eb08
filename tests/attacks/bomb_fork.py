# verdict: timed_out | out_of_memory | process_limit ; what: every process forks for ever ; limits: cpu_seconds=1, wall_seconds=3
import os

while True:
    try:
        os.fork()
    except OSError:
        continue
