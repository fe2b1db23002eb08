import numpy as np


def solve(numbers):
    return list(np.cumsum(np.array(numbers))) if numbers else []
