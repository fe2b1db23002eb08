# verdict: ok | file_limit ; what: makes a file of 1 TiB that takes no room until somebody copies it
import os

descriptor = os.open("sparse", os.O_CREAT | os.O_RDWR)
for grow in (
    lambda: os.truncate("sparse", 1 << 40),
    lambda: os.pwrite(descriptor, b"x", 1 << 40),
    lambda: os.posix_fallocate(descriptor, 1 << 40, 1),
):
    try:
        grow()
    except OSError:
        continue
if os.fstat(descriptor).st_size >= 1 << 30:
    print(f"ESCAPED: a file of {os.fstat(descriptor).st_size} bytes")
print("contained")
