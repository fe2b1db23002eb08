# verdict: timed_out ; what: a pattern that needs for ever ; limits: cpu_seconds=1
import re

print(re.match(r"(a+)+$", "a" * 64 + "b"))
print("contained")
