"""A chart's coordinates and axes as inline SVG; colours come from the page's classes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 520, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 18, 24

Unit = Callable[[float], str]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """From iterations and values to places. is_log: the vertical axis in powers, low above 0."""

    first: float
    last: float
    low: float
    high: float
    unit: Unit
    is_log: bool = False

    def x(self, iteration: float) -> float:
        span = (self.last - self.first) or 1
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (iteration - self.first) / span

    def y(self, value: float) -> float:
        low, high, value = (
            (math.log(self.low), math.log(self.high), math.log(max(value, self.low)))
            if self.is_log
            else (self.low, self.high, value)
        )
        share = (min(value, high) - low) / ((high - low) or 1)
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share

    @property
    def bottom(self) -> float:
        return HEIGHT - _BOTTOM

    @property
    def top(self) -> float:
        return _TOP

    def axes(self) -> Markup:
        """Grid lines with their values, and iterations below."""
        parts = [
            Markup('<path class="grid" d="M{} {:.1f}H{}"/><text class="tick end" x="{}" y="{:.1f}">{}'
                   "</text>").format(
                _LEFT, self.y(tick), WIDTH - _RIGHT, _LEFT - 6, self.y(tick) + 4, self.unit(tick))
            for tick in (_powers if self.is_log else _ticks)(self.low, self.high)
        ]  # fmt: skip
        parts += [
            Markup('<text class="tick middle" x="{:.1f}" y="{}">{:g}</text>').format(
                self.x(tick), HEIGHT - 8, tick
            )
            for tick in _ticks(self.first, self.last, most=8)
            if tick == int(tick)
        ]
        return Markup("").join(parts)


def frame(
    iterations: Sequence[float],
    values: Sequence[float],
    unit: Unit,
    *,
    low: float | None = 0.0,
    high: float | None = None,
    is_log: bool = False,
) -> Frame:
    """Around all values. low, high: where the axis ends at least; with is_log they are of no use."""
    known = [value for value in values if math.isfinite(value)]
    if is_log:
        positive = [value for value in known if value > 0] or [1.0]
        bottom = 10 ** math.floor(math.log10(min(positive)) + 1e-9)
        top = 10 ** math.ceil(math.log10(max(positive)) - 1e-9)
        top = top if top > bottom else 10 * bottom
    else:
        ends = known or [0.0]
        bottom = min([*ends, *([] if low is None else [low])])
        top = max([*ends, *([] if high is None else [high])])
        if top <= bottom:
            top = bottom + (abs(bottom) or 1)
        step = _step(bottom, top, 4)
        bottom, top = math.floor(bottom / step) * step, math.ceil(top / step - 1e-9) * step
    return Frame(
        first=min(iterations, default=0.0),
        last=max(iterations, default=1.0),
        low=bottom,
        high=top,
        unit=unit,
        is_log=is_log,
    )


def _step(low: float, high: float, most: int) -> float:
    rough = (high - low) / most
    size = float(10 ** math.floor(math.log10(rough)))
    return next(size * part for part in (1, 2, 2.5, 5, 10) if size * part >= rough * (1 - 1e-9))


def _ticks(low: float, high: float, *, most: int = 4) -> list[float]:
    if high <= low:
        return [low]
    step = _step(low, high, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def _powers(low: float, high: float) -> list[float]:
    first, last = round(math.log10(low)), round(math.log10(high))
    return [10.0**power for power in range(first, last + 1, max(1, (last - first) // 5))]
