# verdict: ok ; what: looks for anything but harmless names in its environment
import ctypes
import os

HARMLESS = {
    "HOME", "HOSTNAME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "MKL_NUM_THREADS", "OLDPWD",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH", "PWD", "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED", "PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONUTF8", "SHLVL", "TERM",
    "TMPDIR", "TZ", "USER", "_",
}  # fmt: skip
SET_DUMPABLE = 4
found = {os.fsdecode(name) for name in os.environb}
ctypes.CDLL(None).prctl(SET_DUMPABLE, 1, 0, 0, 0)
try:
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    found |= {os.fsdecode(entry.partition(b"=")[0]) for entry in entries if b"=" in entry}
except OSError:
    pass
for name in sorted(found - HARMLESS):
    print(f"ESCAPED: it was told {name}")
print("contained")
