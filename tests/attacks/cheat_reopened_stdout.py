# verdict: ok ; what: opens its own stdout for reading, takes back what it wrote, and cuts it short
import os

os.write(1, b"taken back\n")
try:
    reader = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
    os.read(reader, 4096)
except OSError:
    pass
for change in (lambda: os.ftruncate(1, 0), lambda: os.lseek(1, 0, os.SEEK_SET)):
    try:
        change()
    except OSError:
        continue
os.write(1, b"contained\n")
