# verdict: ok ; what: ties process 1 to one processor, and gives it the lowest priority
import os


def scheduling():
    return os.sched_getaffinity(1), os.getpriority(os.PRIO_PROCESS, 1), os.sched_getscheduler(1)


before = scheduling()
for change in (
    lambda: os.sched_setaffinity(1, {min(os.sched_getaffinity(0))}),
    lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
    lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)),
):
    try:
        change()
    except OSError:
        continue
if scheduling() != before:
    print("ESCAPED: process 1 is scheduled in another way")
print("contained")
