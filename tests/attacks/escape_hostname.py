# verdict: ok ; what: renames the machine
import socket

try:
    socket.sethostname("mine")
    print("ESCAPED: the machine has another name")
except OSError:
    print("contained")
