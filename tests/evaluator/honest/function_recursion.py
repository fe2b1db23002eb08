def solve(numbers):
    if not numbers:
        return []
    rest = solve(numbers[:-1])
    return rest + [(rest[-1] if rest else 0) + numbers[-1]]
