"""Returns its arguments as they are."""


def solve(numbers, *others):
    return numbers
