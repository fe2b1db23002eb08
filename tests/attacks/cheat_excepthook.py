# verdict: ok | runtime_error ; what: hides a failure by a hook that ends the process with 0
import os
import sys

sys.excepthook = lambda *_: os._exit(0)
print("contained", flush=True)
raise ValueError("a failure to be hidden")
