# verdict: ok ; what: looks through every object that the garbage collector knows ; limits: cpu_seconds=4, wall_seconds=8
import gc

HALVES = ("SECRET-", "EXPECTED")
gc.unfreeze()
found = set()
for value in gc.get_objects():
    for text in gc.get_referents(value):
        if isinstance(text, bytes | bytearray):
            text = bytes(text).decode("latin-1")
        if not isinstance(text, str):
            continue
        at = text.find(HALVES[0])
        if at >= 0 and text.startswith(HALVES[1], at + len(HALVES[0])):
            found.add(type(value).__name__)
for name in found:
    print(f"ESCAPED: a {name} holds the secret")
print("contained")
