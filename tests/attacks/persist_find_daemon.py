# verdict: ok ; what: looks for the process that persist_leave_daemon left
import os

own = {1, os.getpid(), os.getppid()}
for process in range(2, 2000):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        continue
    except OSError:
        pass
    if process not in own:
        print(f"ESCAPED: process {process} is still there")
print("contained")
