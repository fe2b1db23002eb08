# verdict: ok ; what: stops its parent and process 1, so that nobody watches it any more
import os
import signal
import time

watchers = {1, os.getppid()} - {0, os.getpid()}
for process in watchers:
    for number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN):
        try:
            os.kill(process, number)
        except OSError:
            continue
time.sleep(0.05)
for process in watchers:
    try:
        with open(f"/proc/{process}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
    except OSError:
        continue
    if state in "Tt":
        print(f"ESCAPED: process {process} is stopped")
print("contained")
