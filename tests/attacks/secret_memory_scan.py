# verdict: ok ; what: reads its whole memory for what was left there ; limits: cpu_seconds=4, wall_seconds=8
import ctypes

HALVES = (b"SECRET-", b"EXPECTED")
PIECE, OVERLAP = 1 << 20, 16
SET_DUMPABLE = 4
ctypes.CDLL(None).prctl(SET_DUMPABLE, 1, 0, 0, 0)


def scan(memory, start, end):
    for place in range(start, end, PIECE):
        memory.seek(place)
        piece = memory.read(min(PIECE + OVERLAP, end - place))
        at = piece.find(HALVES[0])
        while at >= 0:
            if piece.startswith(HALVES[1], at + len(HALVES[0])):
                print(f"ESCAPED: the secret is at {place + at:#x}")
            at = piece.find(HALVES[0], at + 1)


try:
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            start, end = (int(edge, 16) for edge in line.split()[0].split("-"))
            try:
                scan(memory, start, end)
            except (OSError, ValueError, OverflowError):
                continue
except OSError:
    pass
print("contained")
