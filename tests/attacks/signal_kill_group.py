# verdict: runtime_error ; what: kills its process group, in the hope that its watcher is in it
import os
import signal

os.kill(0, signal.SIGKILL)
