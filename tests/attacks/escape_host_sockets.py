# verdict: ok ; what: connects to services of the host, by path and by abstract name
import socket

PATHS = [
    "/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock",
    "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/notify",
    "/run/systemd/journal/stdout", "/dev/log", "/run/codeloop/0", "/run/codeloop/1",
    "/tmp/.X11-unix/X0", "/run/podman/podman.sock",
]  # fmt: skip
ABSTRACT = ["/tmp/.X11-unix/X0", "/com/ubuntu/upstart", "containerd-shim", "/org/kernel/udev/udevd"]
names = PATHS + [f"\0{name}" for name in ABSTRACT]
try:
    with open("/proc/net/unix") as table:
        names += ["\0" + line.split("@", 1)[1].rstrip("\n") for line in table if "@" in line]
except OSError:
    pass
for name in names:
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_UNIX, kind) as client:
                client.settimeout(0.1)
                client.connect(name)
                print(f"ESCAPED: connected to {name!r}")
        except OSError:
            continue
print("contained")
