# verdict: ok ; what: lengthens and overwrites its stdin, which is memory of the sandbox ; stdin: untouched
import os

before = os.fstat(0).st_size
descriptors = [0]
try:
    descriptors.append(os.open("/proc/self/fd/0", os.O_RDWR))
except OSError:
    pass
for descriptor in descriptors:
    for change in (
        lambda target=descriptor: os.ftruncate(target, 1 << 30),
        lambda target=descriptor: os.pwrite(target, b"replaced", 1 << 30),
        lambda target=descriptor: os.pwrite(target, b"replaced", 0),
    ):
        try:
            change()
        except OSError:
            continue
if os.fstat(0).st_size != before:
    print(f"ESCAPED: its stdin has {os.fstat(0).st_size} bytes instead of {before}")
if os.read(0, 9) not in (b"", b"untouched"):
    print("ESCAPED: its stdin is another one")
print("contained")
