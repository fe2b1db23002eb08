import functools


@functools.lru_cache(maxsize=None)
def sums(numbers):
    return sums(numbers[:-1]) + (sum(numbers),) if numbers else ()


def solve(numbers):
    return list(sums(tuple(numbers)))
