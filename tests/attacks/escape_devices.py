# verdict: ok ; what: opens the machine's memory, its disks and its drivers
import os

NULL = os.makedev(1, 3)
READ = ("/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore", "/dev/kmsg", "/dev/sda", "/dev/vda",
        "/dev/nvme0n1", "/dev/dm-0", "/dev/loop0")  # fmt: skip
OPEN = ("/dev/kvm", "/dev/fuse", "/dev/loop-control", "/dev/net/tun", "/dev/vhost-vsock",
        "/dev/nvidiactl", "/dev/tty", "/dev/console", "/dev/snapshot")  # fmt: skip
for path in READ + OPEN:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        is_null = os.fstat(descriptor).st_rdev == NULL
        if not is_null and (path in OPEN or os.read(descriptor, 16)):
            print(f"ESCAPED: {path} is open")
    except OSError:
        continue
print("contained")
