# verdict: out_of_memory | ok ; what: takes memory as 128 nameless files that are not mapped, 4 MiB each
import os
import time

kept = []
try:
    while len(kept) < 128:
        kept.append(os.memfd_create("kept"))
        for _ in range(4):
            if os.write(kept[-1], b"x" * (1 << 20)) < 1 << 20:
                raise OSError("a short write")
    time.sleep(0.5)
    print("ESCAPED: 512 MiB in nameless files")
except OSError:
    print("contained")
