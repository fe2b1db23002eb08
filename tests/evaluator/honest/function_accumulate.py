from itertools import accumulate

solve = lambda numbers: list(accumulate(numbers))
