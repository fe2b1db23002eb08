# verdict: ok | runtime_error ; what: replaces everything that a runner could end a process with
import atexit
import os
import sys
import threading

print("contained", flush=True)
for module, name in (
    (os, "_exit"),
    (sys, "exit"),
    (threading, "_shutdown"),
    (atexit, "_run_exitfuncs"),
):
    setattr(module, name, lambda *_: None)
raise ValueError("a failure to be hidden")
