"""How numbers look in every report: shares as percent, differences as points, and "–" for what is unknown."""

import math

from evaluator.interval import Interval

UNKNOWN = "–"


def percent(share: float, digits: int = 1) -> str:
    """A share from 0 to 1, such as 92.6 for .926; no sign of percent, columns say it."""
    return UNKNOWN if math.isnan(share) else f"{100 * share:.{digits}f}"


def points(difference: float, digits: int = 1) -> str:
    """A difference of shares in percentage points, with its sign."""
    return UNKNOWN if math.isnan(difference) else f"{100 * difference:+.{digits}f}"


def span(interval: Interval) -> str:
    """An interval of shares in percent."""
    return f"{percent(interval.low)} … {percent(interval.high)}"


def points_span(interval: Interval) -> str:
    """An interval of differences in points."""
    return f"{points(interval.low)} … {points(interval.high)}"


def count(number: float) -> str:
    """A whole number, in thousands or millions where it is long."""
    if math.isnan(number):
        return UNKNOWN
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "K")):
        if number >= size:
            return f"{number / (1e3 if unit == 'K' else size):.3g}{unit}"
    return f"{number:.0f}"


def seconds(value: float) -> str:
    """A time, with as many digits as tell something."""
    if math.isnan(value):
        return UNKNOWN
    if value >= 120:
        return f"{value / 60:.1f} min"
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.0f} ms"


def dollars(cost: float | None) -> str:
    """Money, or the sign for unknown."""
    return UNKNOWN if cost is None else f"${cost:,.2f}" if cost >= 0.1 else f"${cost:.4f}"


def probability(p: float) -> str:
    """A p-value or a chance."""
    return "< .001" if p < 0.001 else f"{p:.3f}"
