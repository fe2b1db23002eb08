# verdict: ok ; what: leaves the root by the old trick of a second chroot
import os

os.makedirs("jail", exist_ok=True)
above = os.open(".", os.O_RDONLY)
try:
    os.chroot("jail")
    os.fchdir(above)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    print("ESCAPED: chroot works, and now / has", os.listdir("/"))
except OSError:
    print("contained")
