# verdict: ok ; what: asks the cloud's metadata service for the host's credentials
import socket

for address in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(0.3)
            client.connect((address, 80))
            client.sendall(b"GET /latest/meta-data/ HTTP/1.0\r\n\r\n")
            print(f"ESCAPED: {address} answers {client.recv(64)!r}")
    except OSError:
        continue
print("contained")
