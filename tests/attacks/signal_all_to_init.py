# verdict: ok ; what: sends every signal there is to process 1
import os

for number in range(1, 65):
    try:
        os.kill(1, number)
    except OSError:
        continue
try:
    os.kill(1, 0)
except ProcessLookupError:
    print("ESCAPED: process 1 is gone")
except OSError:
    pass
print("contained")
