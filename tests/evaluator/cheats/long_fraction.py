"""Returns a fraction and an integer of millions of digits: for who reduces or prints them."""

import fractions


def solve(*arguments):
    fraction = fractions.Fraction(1, 3)
    fraction._numerator = (1 << 4_000_000) + 1
    fraction._denominator = (1 << 3_999_999) - 1
    return [fraction, 1 << 4_000_000]
