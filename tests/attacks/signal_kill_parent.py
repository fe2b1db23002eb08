# verdict: ok ; what: kills its parent
import os
import signal

parent = os.getppid()
try:
    if parent > 0:
        os.kill(parent, signal.SIGKILL)
except OSError:
    pass
if parent > 0 and os.getppid() != parent:
    print("ESCAPED: its parent is gone")
print("contained")
