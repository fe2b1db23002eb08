# verdict: ok | runtime_error ; what: traces the frames of its runner, and reads what passes there
import sys

HALVES = ("SECRET-", "EXPECTED")


def look(frame, event, argument):
    for value in [argument, *frame.f_locals.values()]:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        at = text.find(HALVES[0]) if isinstance(text, str) else -1
        if at >= 0 and text.startswith(HALVES[1], at + len(HALVES[0])):
            sys.__stdout__.write(f"ESCAPED: {frame.f_code.co_filename} held the secret\n")
    return look


sys.settrace(look)
sys.setprofile(look)
frame = sys._getframe()
while frame is not None:
    frame.f_trace = look
    frame = frame.f_back
print("contained", flush=True)
raise ValueError("a failure on the way up")
