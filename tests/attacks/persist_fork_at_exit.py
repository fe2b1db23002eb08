# verdict: ok ; what: begins anew in a child when it should end
import atexit
import os
import time


def begin_anew():
    if os.fork() == 0:
        os.setsid()
        time.sleep(3600)


atexit.register(begin_anew)
print("contained")
