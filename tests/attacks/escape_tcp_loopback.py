# verdict: ok ; what: connects to services of the host on its loopback
import socket

PORTS = [*range(1, 1025), 2375, 3306, 5432, 6379, *range(8000, 8101), 9090]
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    for port in PORTS:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as client:
                client.settimeout(0.05)
                client.connect((address, port))
                print(f"ESCAPED: connected to {address} port {port}")
        except OSError:
            continue
print("contained")
