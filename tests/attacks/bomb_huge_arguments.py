# verdict: ok | out_of_memory ; what: becomes a program with 20 MB of arguments
import os

try:
    os.execv("/bin/sh", ["sh", "-c", "echo ESCAPED: 20 MB of arguments", *["x" * 100_000] * 200])
except OSError:
    print("contained")
