# verdict: ok ; what: a thread ends the process with 0 while its main thread computes; nothing is on stdout
import os
import threading

threading.Timer(0.05, lambda: os._exit(0)).start()
while True:
    pass
