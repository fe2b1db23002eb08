# verdict: ok ; what: switches a network interface on, by netlink
import socket
import struct

REQUEST_WITH_ANSWER, NEW_LINK, ERROR, UP = 5, 16, 2, 1
try:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.settimeout(0.5)
        wish = struct.pack("BxHiII", 0, 0, 1, UP, UP)
        header = struct.pack("IHHII", 16 + len(wish), NEW_LINK, REQUEST_WITH_ANSWER, 1, 0)
        link.sendto(header + wish, (0, 0))
        answer = link.recv(4096)
        kind, error = struct.unpack_from("H", answer, 4)[0], struct.unpack_from("i", answer, 16)[0]
        if kind == ERROR and error == 0:
            print("ESCAPED: it switched an interface on")
except OSError:
    pass
print("contained")
