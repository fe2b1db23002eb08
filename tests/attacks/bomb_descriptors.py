# verdict: ok ; what: opens descriptors for ever
import os

num_open = 0
try:
    while num_open < 100_000:
        os.dup(0)
        num_open += 1
    print(f"ESCAPED: {num_open} descriptors")
except OSError:
    print("contained")
