# verdict: timed_out | out_of_memory | process_limit ; what: forks for ever, each process in a session of its own ; limits: cpu_seconds=1, wall_seconds=3
import os

while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        continue
