# verdict: timed_out ; what: sleeps for ever ; limits: cpu_seconds=1, wall_seconds=1
import time

while True:
    time.sleep(1000)
