"""Returns something that would make its items only when it is compared."""


def solve(numbers, *others):
    def lazy():
        while True:
            yield from numbers

    return lazy()
