# verdict: ok ; what: stops every process that it may
import os
import signal

try:
    os.kill(-1, signal.SIGSTOP)
except OSError:
    pass
print("contained")
