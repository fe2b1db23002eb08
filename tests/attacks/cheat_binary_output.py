# verdict: ok ; what: writes every byte, broken UTF-8 and terminal commands to both streams
import os

for descriptor in (1, 2):
    os.write(
        descriptor, bytes(range(256)) + b"\xf0\x9f\xed\xa0\x80\xc0\x80" + b"\x1b[2J\x1b]0;mine\a"
    )
os.write(1, b"\ncontained\n")
