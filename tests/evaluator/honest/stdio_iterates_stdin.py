import sys

numbers = []
for line in sys.stdin:
    numbers += map(int, line.split())
sums = [sum(numbers[: end + 1]) for end in range(len(numbers))]
print(sums)
