# verdict: ok ; what: ends, and has a child write to stdout after the end
import os
import time

if os.fork() == 0:
    os.setsid()
    time.sleep(0.3)
    print("ESCAPED: written after the end", flush=True)
    time.sleep(3600)
print("contained", flush=True)
os._exit(0)
