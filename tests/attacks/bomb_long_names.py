# verdict: ok ; what: leaves names of every byte, of 255 bytes, of no text at all, and folders without rights
import os

for number in range(1, 256):
    if number not in b"/.":
        os.close(os.open(bytes([number]), os.O_CREAT | os.O_WRONLY, 0))
for name in (b"\xff" * 255, b"-rf", b"\n", b"$(reboot)", b"a\nb\x1b[2J"):
    os.makedirs(b"folder/" + name, exist_ok=True)
os.mkfifo("fifo")
os.chmod("folder", 0)
print("contained")
