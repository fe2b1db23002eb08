# verdict: output_limit ; what: writes to stderr for ever
import os

while True:
    os.write(2, b"x" * 65536)
