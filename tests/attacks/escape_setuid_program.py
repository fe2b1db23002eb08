# verdict: ok ; what: starts the system's setuid programs, and looks whether one of them is root
import os
import shutil
import subprocess
import time

for name in ("su", "passwd", "newgrp", "chsh", "sudo", "mount", "pkexec", "ssh-agent"):
    path = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/usr/local/bin")
    if path is None or not os.stat(path).st_mode & 0o6000 or os.geteuid() == 0:
        continue
    child = subprocess.Popen(
        [path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 0.1
    while child.poll() is None and time.monotonic() < deadline:
        try:
            with open(f"/proc/{child.pid}/status") as status:
                users = next(line for line in status if line.startswith("Uid:")).split()[1:]
        except OSError:
            break
        if "0" in users:
            print(f"ESCAPED: {path} runs as root")
            break
    child.kill()
    child.wait()
print("contained")
