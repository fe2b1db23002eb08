from collections import UserString


class Sums(list):
    """A list with a method more."""

    def last(self):
        return self[-1]


def solve(numbers, label=UserString("sums")):
    found = Sums()
    for number in numbers:
        found.append(number + (found.last() if found else 0))
    return found
