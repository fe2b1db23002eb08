class Solver:
    def __call__(self, numbers):
        return [sum(numbers[: end + 1]) for end in range(len(numbers))]


solve = Solver()
