from fractions import Fraction


def solve(numbers):
    total, found = Fraction(0), []
    for number in numbers:
        total += Fraction(number)
        found.append(total)
    return found
