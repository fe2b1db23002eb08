# verdict: out_of_memory ; what: takes memory for ever
import time

pieces = []
for _ in range(64):
    pieces.append(b"x" * (8 << 20))
time.sleep(0.5)
print("ESCAPED: 512 MiB in one process")
