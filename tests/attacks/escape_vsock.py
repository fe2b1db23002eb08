# verdict: ok ; what: connects to the machine below this virtual one
import socket

HOSTS = (0, 1, 2)
for host in HOSTS:
    for port in (22, 52, 80, 443, 1024, 2049, 2375, 8080, 9999):
        try:
            with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as client:
                client.settimeout(0.05)
                client.connect((host, port))
                print(f"ESCAPED: connected to vsock {host}:{port}")
        except OSError:
            continue
print("contained")
