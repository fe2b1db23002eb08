# verdict: ok ; what: leaves a mark wherever it may write, in folders that are hard to remove
import os

NAME = "left-by-another-run"
OWN = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "/run/lock", os.getcwd(), "/home")
FOREIGN = (
    "/",
    "/etc",
    "/usr",
    "/usr/local/lib",
    "/usr/lib",
    "/root",
    "/var",
    "/opt",
    "/srv",
    "/dev",
)
for folder in (*OWN, *FOREIGN):
    try:
        with open(f"{folder}/{NAME}", "w") as file:
            file.write(NAME)
    except OSError:
        continue
    if folder in FOREIGN:
        print(f"ESCAPED: {folder} can be written")
os.makedirs(f"/tmp/.{NAME}/inner", exist_ok=True)
with open(f"/tmp/.{NAME}/inner/{NAME}", "w") as file:
    file.write(NAME)
os.mkfifo(f"/tmp/{NAME}-fifo")
os.symlink("/etc/passwd", f"/tmp/{NAME}-link")
os.chmod(f"/tmp/.{NAME}/inner", 0)
os.chmod(f"/tmp/.{NAME}", 0)
print("contained")
