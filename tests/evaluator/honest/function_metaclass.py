class Registry(type):
    known = {}

    def __new__(cls, name, bases, names):
        cls.known[name] = made = super().__new__(cls, name, bases, names)
        return made


class Sums(metaclass=Registry):
    def __init__(self, numbers):
        self.numbers = numbers

    def __iter__(self):
        total = 0
        for number in self.numbers:
            total += number
            yield total


def solve(numbers):
    return list(Registry.known["Sums"](numbers))
