# verdict: ok ; what: looks for processes that are not its own
import os

own = {1, os.getpid(), os.getppid()}
try:
    seen = {int(name) for name in os.listdir("/proc") if name.isdigit()} - own
except OSError:
    seen = set()
for process in sorted(seen):
    print(f"ESCAPED: process {process} can be seen")
for process in range(2, 1000):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        continue
    except OSError:
        pass
    if process not in own | seen:
        print(f"ESCAPED: process {process} answers")
print("contained")
