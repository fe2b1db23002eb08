# verdict: ok ; what: leaves a process that listens on an abstract socket, which no file system shows
import os
import socket
import time

ready, tell = os.pipe()
if os.fork() == 0:
    os.setsid()
    try:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind("\0left-by-another-run")
        server.listen()
    except OSError:
        pass
    os.write(tell, b"x")
    time.sleep(3600)
os.read(ready, 1)
print("contained", flush=True)
os._exit(0)
