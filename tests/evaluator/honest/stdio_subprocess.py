import subprocess
import sys

numbers = [int(word) for word in sys.stdin.read().split()]
sums = [sum(numbers[: end + 1]) for end in range(len(numbers))]
print(subprocess.run(["/bin/echo", str(sums)], capture_output=True, text=True).stdout)
