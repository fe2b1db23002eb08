import sys
import warnings

print("ready")


def solve(numbers):
    """
    >>> solve([1, 2])
    [1, 3]
    """
    print("called with", numbers)
    print("debug", file=sys.stderr)
    warnings.warn("slow")
    return [sum(numbers[: end + 1]) for end in range(len(numbers))]


print(solve([1, 2]))
assert solve([2, 2]) == [2, 4]
