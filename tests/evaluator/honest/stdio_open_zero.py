numbers = list(map(int, open(0).read().split()))
sums = [sum(numbers[: end + 1]) for end in range(len(numbers))]
print(sums)
