# verdict: ok ; what: opens files of /sys for writing; an uevent helper is run as the host's root
import os

num_seen = 0
for folder, _, files in os.walk("/sys"):
    for name in files:
        num_seen += 1
        try:
            os.close(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_NONBLOCK))
            print(f"ESCAPED: {folder}/{name} can be written")
        except OSError:
            continue
    if num_seen > 20_000:
        break
print("contained")
