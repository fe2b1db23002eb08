# verdict: timed_out | runtime_error ; what: sends itself the signal of a used-up CPU time
import os
import signal

os.kill(os.getpid(), signal.SIGXCPU)
