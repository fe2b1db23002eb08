"""Returns a list that holds itself, and a dictionary that does."""


def solve(*arguments):
    result = [1]
    result.append(result)
    result.append({0: result})
    return result
