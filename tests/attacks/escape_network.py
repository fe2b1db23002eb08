# verdict: ok ; what: looks for a way out to the network, and for a name server
import socket

for address in ("8.8.8.8", "169.254.169.254", "172.17.0.1", "10.0.0.1", "2001:4860:4860::8888"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.connect((address, 53))
            print(f"ESCAPED: a route to {address} from {sender.getsockname()}")
    except OSError:
        continue
try:
    print(f"ESCAPED: a name server answers: {socket.getaddrinfo('example.com', 80)[0]}")
except OSError:
    print("contained")
