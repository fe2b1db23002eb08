"""Returns a small object that is huge when it is written: each list holds the next twice."""


def solve(*arguments):
    result = []
    for _ in range(60):
        result = [result, result]
    return result
