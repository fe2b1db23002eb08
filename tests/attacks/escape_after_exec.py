# verdict: ok ; what: starts a fresh interpreter, to see whether the filter and the wall go with it
import subprocess
import sys

PROGRAM = """
import ctypes, os
libc = ctypes.CDLL(None)
if libc.unshare(0x10000000) == 0:
    print("ESCAPED: a user namespace after an exec")
if libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == 0:
    print("ESCAPED: a mount after an exec")
"""
sys.stdout.flush()
subprocess.run([sys.executable or "/usr/bin/python3", "-I", "-S", "-c", PROGRAM], check=True)
print("contained")
