# verdict: ok ; what: looks for files of programs that ran before or run beside it
import os

own = {os.path.realpath(__file__)}
for root in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"):
    for folder, _, files in os.walk(root):
        for name in files:
            path = os.path.realpath(f"{folder}/{name}")
            if path not in own:
                print(f"ESCAPED: {path} is not its own")
print("contained")
