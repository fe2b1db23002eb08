# verdict: ok ; what: ends while a child of its own holds stdout and stderr open for an hour
import os
import time

if os.fork() == 0:
    time.sleep(3600)
print("contained", flush=True)
os._exit(0)
