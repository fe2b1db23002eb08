"""Returns constants that are no data: for who turns what is left into a number."""


def solve(*arguments):
    return [..., NotImplemented, StopIteration, solve]
