# verdict: ok ; what: makes device nodes of its own for the memory and the first disk
import os
import stat

for name, kind, number in (
    ("mem", stat.S_IFCHR, os.makedev(1, 1)),
    ("kmsg", stat.S_IFCHR, os.makedev(1, 11)),
    ("disk", stat.S_IFBLK, os.makedev(8, 0)),
    ("virtual-disk", stat.S_IFBLK, os.makedev(254, 0)),
):
    try:
        os.mknod(name, kind | 0o666, number)
        print(f"ESCAPED: a device node {name}")
    except OSError:
        continue
print("contained")
