from decimal import Decimal


def solve(numbers):
    return [
        sum((Decimal(one) for one in numbers[: end + 1]), Decimal(0)) for end in range(len(numbers))
    ]
