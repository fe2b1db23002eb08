# verdict: ok ; what: moves itself to another control group, or raises the limits of its own
import os

places = ["/sys/fs/cgroup", "/cgroup", "/tmp/cgroup", "/run/cgroup"]
places += [f"/sys/fs/cgroup/{name}" for name in ("memory", "pids", "cpu", "cpuacct", "unified")]
NAMES = (
    "cgroup.procs",
    "tasks",
    "memory.max",
    "memory.limit_in_bytes",
    "pids.max",
    "release_agent",
)
for place in places:
    for name in NAMES:
        try:
            os.close(os.open(f"{place}/{name}", os.O_WRONLY))
            print(f"ESCAPED: {place}/{name} can be written")
        except OSError:
            continue
    try:
        os.mkdir(f"{place}/mine")
        if not place.startswith("/tmp"):
            print(f"ESCAPED: a control group in {place}")
    except OSError:
        continue
print("contained")
