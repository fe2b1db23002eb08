# verdict: ok ; what: types a command into the terminal of who started the sandbox
import fcntl
import os

TYPE, LINUX_PASTE = 0x5412, 0x541C
descriptors = [0, 1, 2]
for path in ("/dev/tty", "/dev/console", "/dev/pts/0", "/dev/tty1"):
    try:
        descriptors.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except OSError:
        continue
for descriptor in descriptors:
    for request, argument in ((TYPE, b"\n"), (LINUX_PASTE, b"\3")):
        try:
            fcntl.ioctl(descriptor, request, argument)
            print(f"ESCAPED: typed into descriptor {descriptor}")
        except OSError:
            continue
print("contained")
