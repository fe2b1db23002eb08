# verdict: output_limit ; what: a child writes for ever, and its parent waits for it
import os

child = os.fork()
while child == 0:
    os.write(1, b"x" * 65536)
os.waitpid(child, 0)
