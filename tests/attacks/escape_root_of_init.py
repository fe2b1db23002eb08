# verdict: ok ; what: walks through the root, the work folder and the descriptors of process 1
import os

for name in ("root", "cwd", "fd", "map_files", "task/1/root"):
    try:
        found = os.listdir(f"/proc/1/{name}")
    except OSError:
        continue
    if found:
        print(f"ESCAPED: /proc/1/{name} has {found[:5]}")
print("contained")
