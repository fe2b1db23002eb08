# verdict: ok ; what: has the kernel compute for it, through a socket of its crypto code
import socket

try:
    with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as algorithm:
        algorithm.bind(("hash", "sha256"))
        operation, _ = algorithm.accept()
        operation.sendall(b"x")
        print(f"ESCAPED: the kernel hashed it: {operation.recv(32).hex()}")
except OSError:
    print("contained")
