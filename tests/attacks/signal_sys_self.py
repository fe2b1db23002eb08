# verdict: forbidden_call | runtime_error ; what: sends itself the signal of a forbidden call
import os
import signal

os.kill(os.getpid(), signal.SIGSYS)
