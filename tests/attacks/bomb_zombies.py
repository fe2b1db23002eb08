# verdict: ok | process_limit | out_of_memory ; what: makes children that end and are never waited for
import os

num_children = 0
try:
    while num_children < 5000:
        if os.fork() == 0:
            os._exit(0)
        num_children += 1
    print(f"ESCAPED: {num_children} processes at one time")
except OSError:
    print("contained")
