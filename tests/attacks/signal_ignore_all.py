# verdict: timed_out ; what: ignores every signal that can be, and sleeps for ever ; limits: cpu_seconds=1, wall_seconds=1
import signal
import time

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        continue
while True:
    time.sleep(1000)
