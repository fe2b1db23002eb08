import enum


class Zero(enum.IntEnum):
    ZERO = 0
    ONE = 1


def solve(numbers):
    found = [sum(numbers[: end + 1]) for end in range(len(numbers))]
    return [Zero(one) if one in (0, 1) else one for one in found]
