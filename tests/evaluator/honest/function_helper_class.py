class Total:
    """Adds up, by operators of its own."""

    def __init__(self, value=0):
        self.value = value

    def __add__(self, other):
        return Total(self.value + other)

    def __eq__(self, other):
        return self.value == other


def solve(numbers):
    total, found = Total(), []
    for number in numbers:
        total = total + number
        found.append(total.value)
    return found
