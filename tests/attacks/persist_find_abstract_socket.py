# verdict: ok ; what: looks for what persist_leave_abstract_socket left
import socket

try:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(0.5)
        client.connect("\0left-by-another-run")
        print("ESCAPED: another run answers")
except OSError:
    print("contained")
