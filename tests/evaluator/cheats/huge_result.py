"""Returns a result of hundreds of megabytes."""


def solve(*arguments):
    return [0] * 20_000_000
