# verdict: ok ; what: sends raw packets to where hosts and gateways usually are
import socket

ECHO = bytes([8, 0, 0xF7, 0xFF, 0, 0, 0, 0])
for address in ("172.17.0.1", "10.0.0.1", "192.168.0.1", "169.254.169.254", "8.8.8.8"):
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP) as raw:
                raw.sendto(ECHO, (address, 0))
                print(f"ESCAPED: a packet went to {address}")
        except OSError:
            continue
try:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3)) as wire:
        wire.settimeout(0.2)
        print(f"ESCAPED: heard {len(wire.recv(2048))} bytes on the wire")
except OSError:
    pass
print("contained")
