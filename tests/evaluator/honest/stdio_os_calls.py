import os

numbers = list(map(int, os.read(0, 1 << 16).split()))
sums = [sum(numbers[: end + 1]) for end in range(len(numbers))]
os.write(1, str(sums).encode())
