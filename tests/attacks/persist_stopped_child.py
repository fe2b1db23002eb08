# verdict: ok ; what: leaves a child that is stopped, and so cannot be asked to end
import os
import signal

child = os.fork()
if child == 0:
    os.setsid()
    os.kill(os.getpid(), signal.SIGSTOP)
os.waitpid(child, os.WUNTRACED)
print("contained")
