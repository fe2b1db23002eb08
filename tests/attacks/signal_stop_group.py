# verdict: timed_out ; what: stops its process group, in the hope that its watcher is in it ; limits: cpu_seconds=1, wall_seconds=1
import os
import signal

os.kill(0, signal.SIGSTOP)
print("contained")
