# verdict: timed_out | runtime_error | process_limit ; what: burns CPU in children whose time nobody inherits, as SIGCHLD is ignored ; limits: cpu_seconds=1, wall_seconds=4
import os
import signal
import time

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        while time.process_time() < 0.1:
            pass
        os._exit(0)
    time.sleep(0.1)
