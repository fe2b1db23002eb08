# verdict: ok ; what: takes a higher priority of CPU and disk than it was given
import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 251, "aarch64": 30}[platform.machine()]
REAL_TIME_DISK = 1 << 13
before = os.getpriority(os.PRIO_PROCESS, 0)
for change in (
    lambda: os.nice(-5),
    lambda: os.setpriority(os.PRIO_PROCESS, 0, before - 5),
    lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)),
):
    try:
        change()
    except OSError:
        continue
if os.getpriority(os.PRIO_PROCESS, 0) < before:
    print("ESCAPED: a higher priority")
if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
    print("ESCAPED: real-time scheduling")
if libc.syscall(number, 1, 0, REAL_TIME_DISK) == 0:
    print("ESCAPED: real-time disk access")
print("contained")
