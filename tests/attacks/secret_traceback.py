# verdict: ok ; what: walks the frames that an exception has passed, and those of generators and coroutines
import gc
import sys

HALVES = ("SECRET-", "EXPECTED")
frames = []
try:
    raise ValueError
except ValueError as error:
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
gc.unfreeze()
frames += [value for value in gc.get_objects() if type(value) is type(sys._getframe())]
for frame in frames:
    while frame is not None:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            at = text.find(HALVES[0]) if isinstance(text, str) else -1
            if at >= 0 and text.startswith(HALVES[1], at + len(HALVES[0])):
                print(f"ESCAPED: a frame of {frame.f_code.co_filename} holds the secret")
        frame = frame.f_back
print("contained")
