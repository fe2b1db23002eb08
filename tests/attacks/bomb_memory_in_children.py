# verdict: out_of_memory ; what: ten children take 48 MiB each, none of them more than the limit
import os
import time

children = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        piece = b"x" * (48 << 20)
        time.sleep(1)
        os._exit(len(piece) & 1)
    children.append(child)
statuses = [os.waitpid(child, 0)[1] for child in children]
if any(statuses):
    print("contained")
else:
    print("ESCAPED: 480 MiB in ten children")
