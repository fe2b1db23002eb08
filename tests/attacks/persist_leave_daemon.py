# verdict: ok ; what: leaves a process in a session of its own, which holds stdout open
import os
import signal
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                continue
        os.chdir("/")
        time.sleep(3600)
    os._exit(0)
os.wait()
print("contained")
