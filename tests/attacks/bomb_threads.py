# verdict: ok | process_limit | out_of_memory ; what: starts threads that never end
import os
import threading

num_threads = 0
try:
    while num_threads < 2000:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        num_threads += 1
    print(f"ESCAPED: {num_threads} threads at one time", flush=True)
except (RuntimeError, MemoryError):
    print("contained", flush=True)
os._exit(0)
