# verdict: ok ; what: changes the interpreter's own library, by every way of writing there is
import mmap
import os

PATH = os.__file__
before = os.stat(PATH)


def map_writable():
    descriptor = os.open(PATH, os.O_RDONLY)
    mmap.mmap(descriptor, 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)


for name, change in (
    ("open", lambda: os.close(os.open(PATH, os.O_RDWR))),
    ("append", lambda: os.close(os.open(PATH, os.O_WRONLY | os.O_APPEND))),
    ("chmod", lambda: os.chmod(PATH, 0o666)),
    ("chown", lambda: os.chown(PATH, os.getuid(), os.getgid())),
    ("utime", lambda: os.utime(PATH, ns=(before.st_atime_ns, before.st_mtime_ns))),
    ("mmap", map_writable),
    ("setxattr", lambda: os.setxattr(PATH, "user.mine", b"1")),
    ("create", lambda: os.mkdir(os.path.dirname(PATH) + "/mine")),
):
    try:
        change()
        print(f"ESCAPED: {name} of {PATH}")
    except OSError:
        continue
print("contained")
