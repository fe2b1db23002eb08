# verdict: ok ; what: goes above the root by way of .., of links of /proc, and of a moved folder
import os

ROOT = os.stat("/")
os.makedirs("one/two", exist_ok=True)
descriptor = os.open("one/two", os.O_RDONLY)
os.rename("one/two", "three")
for path in ("/..", "/../../..", "/proc/self/root/..", "/proc/self/cwd/../../../../.."):
    try:
        found = os.stat(path)
    except OSError:
        continue
    if (found.st_dev, found.st_ino) != (ROOT.st_dev, ROOT.st_ino):
        print(f"ESCAPED: {path} is not the root")
for _ in range(64):
    descriptor = os.open("..", os.O_RDONLY, dir_fd=descriptor)
found = os.fstat(descriptor)
if (found.st_dev, found.st_ino) != (ROOT.st_dev, ROOT.st_ino):
    print("ESCAPED: .. ends above the root")
print("contained")
