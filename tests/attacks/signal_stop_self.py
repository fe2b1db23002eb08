# verdict: timed_out ; what: stops itself for ever, which takes no CPU time ; limits: cpu_seconds=1, wall_seconds=1
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
print("contained")
