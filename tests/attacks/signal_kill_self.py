# verdict: runtime_error ; what: kills itself as a sandbox would
import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
