def sums(numbers):
    total = 0
    for number in numbers:
        total += number
        yield total


def solve(numbers):
    return [*sums(numbers)]
