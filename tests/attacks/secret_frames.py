# verdict: ok ; what: walks up its own stack, to what the sandbox keeps in its frames
import sys

HALVES = ("SECRET-", "EXPECTED")


def has_secret(value, depth=6):
    """The halves are never joined in here, so that this program cannot find itself."""
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("latin-1")
    if isinstance(value, str):
        at = value.find(HALVES[0])
        return at >= 0 and value.startswith(HALVES[1], at + len(HALVES[0]))
    if depth == 0:
        return False
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return any(has_secret(item, depth - 1) for item in value)
    return has_secret(getattr(value, "__dict__", ()), depth - 1) if depth > 4 else False


for frame in [sys._getframe(), *sys._current_frames().values()]:
    while frame is not None:
        if has_secret(dict(frame.f_locals)) or has_secret(dict(frame.f_globals)):
            print(f"ESCAPED: a frame of {frame.f_code.co_filename} holds the secret")
        frame = frame.f_back
print("contained")
