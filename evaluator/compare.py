"""Compares what a program printed with what was expected: one rule a name.

exact     equal after stripping both ends of the whole
lines     equal line by line, each stripped; blank lines at the end do not count
tokens    equal as words, whatever the white space between them (Codeforces' default checker)
numbers   as lines, but words that are decimal numbers are compared as numbers: 0.50 is 0.5; no
          tolerance (LiveCodeBench, without its reading of 1_000, infinity and the like)
float:T   as tokens, and two numbers within T of each other, absolutely or relative to the expected
          one, are equal; integers written as such are compared exactly
"""

import re
from collections.abc import Callable
from decimal import Decimal

from evaluator.errors import UsageRefused

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?")
_INTEGER = re.compile(r"[+-]?\d+")

Compare = Callable[[str, str], bool]


def comparison(rule: str) -> Compare:
    """The function of a rule: (expected, printed) → whether it is right. Raises UsageRefused."""
    name, _, parameter = rule.partition(":")
    if name == "float":
        try:
            tolerance = float(parameter)
        except ValueError:
            raise UsageRefused(
                f"compare rule {rule!r} has no tolerance: write float:1e-6, for example"
            ) from None
        return lambda expected, printed: _floats(expected, printed, tolerance)
    if rule not in _RULES:
        raise UsageRefused(
            f"compare rule {rule!r} is none: there are {', '.join(_RULES)} and float:TOLERANCE"
        )
    return _RULES[rule]


def _exact(expected: str, printed: str) -> bool:
    return expected.strip() == printed.strip()


def _lines(expected: str, printed: str) -> bool:
    return _stripped(expected) == _stripped(printed)


def _tokens(expected: str, printed: str) -> bool:
    return expected.split() == printed.split()


def _numbers(expected: str, printed: str) -> bool:
    wanted, got = _stripped(expected), _stripped(printed)
    if len(wanted) != len(got):
        return False
    return all(a == b or _same_numbers(a, b) for a, b in zip(wanted, got, strict=True))


def _stripped(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_numbers(wanted: str, got: str) -> bool:
    first, second = wanted.split(), got.split()
    if len(first) != len(second):
        return False
    return all(
        a == b or (_is_number(a) and _is_number(b) and Decimal(a) == Decimal(b))
        for a, b in zip(first, second, strict=True)
    )


def _is_number(word: str) -> bool:
    return word.isascii() and _NUMBER.fullmatch(word) is not None


def _floats(expected: str, printed: str, tolerance: float) -> bool:
    wanted, got = expected.split(), printed.split()
    if len(wanted) != len(got):
        return False
    return all(_close(a, b, tolerance) for a, b in zip(wanted, got, strict=True))


def _close(wanted: str, got: str, tolerance: float) -> bool:
    if wanted == got:
        return True
    if not _is_number(wanted) or not _is_number(got):
        return False
    if _INTEGER.fullmatch(wanted):
        return Decimal(wanted) == Decimal(got)
    difference = abs(Decimal(wanted) - Decimal(got))
    return difference <= Decimal(tolerance) * max(Decimal(1), abs(Decimal(wanted)))


_RULES: dict[str, Compare] = {
    "exact": _exact,
    "lines": _lines,
    "tokens": _tokens,
    "numbers": _numbers,
}
