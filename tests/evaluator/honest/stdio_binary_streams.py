import sys

numbers = list(map(int, sys.stdin.buffer.readline().split()))
sums = [sum(numbers[: end + 1]) for end in range(len(numbers))]
sys.stdout.buffer.write(str(sums).encode() + b"\n")
sys.stdout.flush()
