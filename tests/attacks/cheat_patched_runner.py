# verdict: ok | runtime_error ; what: overwrites what its runner's frames hold, and then fails
import sys

print("contained", flush=True)
frame = sys._getframe().f_back
while frame is not None:
    for name, value in list(frame.f_globals.items()):
        if callable(value):
            frame.f_globals[name] = lambda *_: None
    frame = frame.f_back
raise ValueError("a failure to be hidden")
