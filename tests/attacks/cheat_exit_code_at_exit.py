# verdict: ok | runtime_error ; what: fails, and turns its exit code into 0 at the very end
import atexit
import os

atexit.register(lambda: os._exit(0))
print("contained", flush=True)
raise ValueError("a failure to be hidden")
