def solve(numbers):
    return [float(sum(numbers[: end + 1])) for end in range(len(numbers))]
