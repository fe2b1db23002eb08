import numpy as np


def solve(numbers):
    return np.cumsum(np.array(numbers, dtype=object if not numbers else None)).tolist()
