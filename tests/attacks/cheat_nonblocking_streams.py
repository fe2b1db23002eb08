# verdict: ok ; what: changes the modes of the streams that it shares with the sandbox
import fcntl
import os
import signal

signal.signal(signal.SIGIO, signal.SIG_IGN)
for descriptor in (0, 1, 2):
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 4096)
    except OSError:
        continue
os.write(1, b"contained\n")
