# verdict: ok ; what: looks for descriptors that were left open for it
import os

for descriptor in range(3, 4096):
    try:
        os.fstat(descriptor)
    except OSError:
        continue
    try:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        target = "something"
    print(f"ESCAPED: descriptor {descriptor} is {target}")
print("contained")
