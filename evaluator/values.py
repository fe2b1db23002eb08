"""Compares what a function returned with what was expected: plain data only, read outside the wall.

Strict rules: where EvalPlus' comparison takes an answer that is right nowhere, these do not.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

_RELATIVE = 1e-7
"""numpy's default in assert_allclose, which EvalPlus takes."""

FLOAT_TOLERANCE = 1e-6
"""For expected floats of tasks that name no tolerance (EvalPlus)."""


def are_equal(expected: Any, got: Any, tolerance: float) -> bool:
    """Whether they are equal by Python's rules, or close where the expected value is made of floats.

    tolerance: absolute; 0 means none but for a float, or a list or tuple of floats: 1e-6 then. Close
    also wants the same type and length. Source: EvalPlus evalplus/eval/__init__.py.
    """
    if expected == got:
        return True
    allowed = tolerance or (FLOAT_TOLERANCE if is_float_like(expected) else 0.0)
    return bool(allowed) and type(expected) is type(got) and are_close(expected, got, allowed)


def is_float_like(value: Any) -> bool:
    """Whether it is a float, or a list or tuple of floats and not empty."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def are_close(expected: Any, got: Any, tolerance: float) -> bool:
    """Whether all numbers in two structures of one shape are close: |e - g| <= tolerance + 1e-7 |e|."""
    if isinstance(expected, list | tuple):
        return (
            isinstance(got, list | tuple)
            and len(expected) == len(got)
            and all(are_close(*pair, tolerance) for pair in zip(expected, got, strict=True))
        )
    if not isinstance(expected, int | float | complex) or not isinstance(
        got, int | float | complex
    ):
        return False
    if expected == got:
        return True
    try:
        difference = abs(expected - got)
        return math.isfinite(difference) and difference <= tolerance + _RELATIVE * abs(expected)
    except OverflowError:
        return False


Oracle = Callable[[tuple[Any, ...], Any, Any, float], bool]
"""Whether a result is right: arguments of the call, expected, got, tolerance."""


def _same_set(_arguments: tuple[Any, ...], expected: Any, got: Any, _tolerance: float) -> bool:
    try:
        wanted = set(expected)
        # A set is made only of what is wanted: thousands of items with one hash would take minutes.
        return all(item in wanted for item in got) and set(got) == wanted
    except TypeError:
        return False


def _not_none(_arguments: tuple[Any, ...], expected: Any, got: Any, _tolerance: float) -> bool:
    wanted = expected is not None
    return bool(wanted == (got if isinstance(got, bool) else got is not None))


def _exactly(_arguments: tuple[Any, ...], expected: Any, got: Any, tolerance: float) -> bool:
    """Mbpp/164, whose reference counts square roots twice: EvalPlus takes any answer, we take its own."""
    return are_equal(expected, got, tolerance)


def _or_zero(arguments: tuple[Any, ...], expected: Any, got: Any, tolerance: float) -> bool:
    """Mbpp/295: nothing below 2 has proper divisors, so 0 is right there; EvalPlus takes it anywhere."""
    has_none = all(isinstance(one, int | float) and one < 2 for one in arguments)
    return are_equal(expected, got, tolerance) or (has_none and bool(got == 0))


def _surface_area(arguments: tuple[Any, ...], expected: Any, got: Any, tolerance: float) -> bool:
    """Mbpp/581: the height may be taken as the pyramid's own instead of its side's."""
    if are_equal(expected, got, tolerance):
        return True
    edge, height = arguments
    slant = math.sqrt((edge / 2) ** 2 + height**2)
    other = round(edge**2 + 2 * edge * slant)
    return isinstance(got, int | float) and abs(got - other) <= tolerance


def _digit_distance(arguments: tuple[Any, ...], expected: Any, got: Any, tolerance: float) -> bool:
    """Mbpp/558: digits are compared place by place after padding with zeros."""
    if are_equal(expected, got, tolerance):
        return True
    first, second = (str(number) for number in arguments)
    width = max(len(first), len(second))
    pairs = zip(first.zfill(width), second.zfill(width), strict=True)
    try:
        return bool(got == sum(abs(int(a) - int(b)) for a, b in pairs))
    except ValueError:
        return False


def _root(arguments: tuple[Any, ...], _expected: Any, got: Any, tolerance: float) -> bool:
    """HumanEval/32: any root of the polynomial."""
    if not isinstance(got, int | float):
        return False
    try:
        x = float(got)  # the powers of an integer may have millions of digits
        value = sum(coefficient * x**power for power, coefficient in enumerate(arguments[0]))
        return bool(abs(value) <= tolerance)
    except OverflowError:
        return False


ORACLES: Mapping[str, Oracle] = {
    "same_set": _same_set,
    "not_none": _not_none,
    "anything": _exactly,
    "or_zero": _or_zero,
    "surface_area": _surface_area,
    "digit_distance": _digit_distance,
    "root": _root,
}
