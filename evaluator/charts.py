"""Plots as inline SVG: no script, no style of their own, every text escaped, a hover title on each mark.

Colours come from the page's classes, so that a plot follows the light or the dark theme.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evaluator.interval import Interval
from evaluator.judgement import Grade
from evaluator.shown import percent, span

_WIDTH = 760
_LABEL = 240
_ROW = 26
_RIGHT = 64


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A score from 0 to 1. kind: "own" or "published", a class of the page's style."""

    label: str
    value: float
    interval: Interval | None = None
    kind: str = "own"
    note: str = ""


def score_bars(bars: Sequence[Bar]) -> Markup:
    """One row a score: a bar, and its interval as a whisker."""
    height = _ROW * len(bars) + 24
    rows = Markup("").join(_score_row(bar, _ROW * i) for i, bar in enumerate(bars))
    return _svg(_grid(height - 20) + rows, height, "Scores in percent, with 95 % intervals")


def _score_row(bar: Bar, top: int) -> Markup:
    value = 0.0 if math.isnan(bar.value) else bar.value
    right, middle = _x(value), top + _ROW / 2
    whisker = Markup("")
    title = f"{bar.label}: {percent(bar.value)} %"
    if bar.interval:
        low, high = _x(bar.interval.low), _x(bar.interval.high)
        title += f", 95 % interval {span(bar.interval)}"
        whisker = Markup(
            '<path class="whisker" d="M{0:.1f} {2:.1f}H{1:.1f}M{0:.1f} {3:.1f}v8M{1:.1f} {3:.1f}v8"/>'
        ).format(low, high, middle, middle - 4)
    title += f" ({bar.note})" if bar.note else ""
    return Markup(
        '<g class="row"><title>{title}</title><rect class="hit" x="0" y="{top}" width="{width}"'
        ' height="{row}"/><text class="label" x="{label}" y="{base:.1f}">{name}</text>'
        '<rect class="bar {kind}" x="{left}" y="{y:.1f}" width="{w:.1f}" height="14" rx="2"/>'
        '{whisker}<text class="value" x="{end}" y="{base:.1f}">{value}</text></g>'
    ).format(
        title=title, top=top, width=_WIDTH, row=_ROW, label=_LABEL - 10, base=middle + 4,
        name=_cut(bar.label, 31), kind=bar.kind, left=_LABEL, y=middle - 7, w=max(right - _LABEL, 1),
        whisker=whisker, end=_WIDTH - 4, value=percent(bar.value),
    )  # fmt: skip


def grade_bars(rows: Mapping[str, Mapping[Grade, int]]) -> Markup:
    """One stacked bar a suite: how its samples share out over the twelve classes."""
    parts = []
    for place, (name, grades) in enumerate(rows.items()):
        top, total, left = _ROW * place, sum(grades.values()), float(_LABEL)
        parts.append(
            Markup('<text class="label" x="{}" y="{}">{}</text>').format(
                _LABEL - 10, top + 17, _cut(name, 30)
            )
        )
        for grade, number in grades.items():
            width = (_WIDTH - _LABEL - _RIGHT) * number / total if total else 0.0
            text = f"{grade.value.replace('_', ' ')}: {number} of {total}"
            if number:
                parts.append(_segment(f"g-{grade.value}", left, top + 4, width, f"{name}, {text}"))
            left += width
        parts.append(
            Markup('<text class="value" x="{}" y="{}">{}</text>').format(
                _WIDTH - 4, top + 17, total
            )
        )
    return _svg(Markup("").join(parts), _ROW * len(rows) + 4, "Samples by grade")


def _segment(kind: str, left: float, top: float, width: float, title: str) -> Markup:
    return Markup(
        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="18"><title>{}</title></rect>'
    ).format(kind, left, top, max(width, 0.8), title)


def histogram(values: Sequence[float], unit: str, title: str) -> Markup:
    """At most 24 bins of equal width; empty where all values are one."""
    known = sorted(v for v in values if not math.isnan(v))
    if not known or known[0] == known[-1]:
        return Markup("")
    low, high = known[0], known[-1]
    bins = [0] * min(24, max(4, math.isqrt(len(known))))
    size = (high - low) / len(bins)
    for value in known:
        # The largest value lies on the last edge: it belongs to the bin that ends there.
        bins[min(int((value - low) / size), len(bins) - 1)] += 1
    tall, wide = 110, 340 / len(bins)
    marks = [
        Markup('<rect class="bar own" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
               "<title>{}</title></rect>").format(
            10 + place * wide, tall + 4 - tall * number / max(bins), max(wide - 1.5, 1),
            tall * number / max(bins),
            f"{low + place * size:.4g} to {low + (place + 1) * size:.4g} {unit}: {number}",
        )
        for place, number in enumerate(bins)
    ]  # fmt: skip
    axis = Markup(
        '<path class="axis" d="M10 {0}H350"/><text class="tick" x="10" y="{1}">{2}</text>'
        '<text class="tick end" x="350" y="{1}">{3}</text>'
    ).format(tall + 4.5, tall + 20, f"{low:.4g} {unit}", f"{high:.4g} {unit}")
    return _svg(Markup("").join(marks) + axis, tall + 26, title, width=360)


def heat_map(cells: Mapping[tuple[float, float], float], title: str) -> Markup:
    """Scores by (column, row), such as context length by depth; both axes in rising order."""
    columns = sorted({column for column, _ in cells})
    rows = sorted({row for _, row in cells})
    wide = min(56.0, (_WIDTH - 80) / max(1, len(columns)))
    parts = []
    for (column, row), value in cells.items():
        x, y = 64 + columns.index(column) * wide, rows.index(row) * 24
        text = f"length {column:g}, depth {row:g}: {percent(value)} %"
        # Eleven steps of one hue: shades between them cannot be told apart anyhow.
        parts.append(
            Markup('<rect class="heat h{}" x="{:.1f}" y="{}" width="{:.1f}" height="23"><title>{}'
                   '</title></rect><text class="heat-value h{}t" x="{:.1f}" y="{}">{}</text>').format(
                round(10 * value), x, y, wide - 1, text, round(10 * value), x + wide / 2 - 0.5,
                y + 16, percent(value, 0) if wide >= 26 else "")
        )  # fmt: skip
    parts += [
        Markup('<text class="tick end" x="58" y="{}">{:g}</text>').format(24 * i + 16, row)
        for i, row in enumerate(rows)
    ]
    step = max(1, math.ceil(46 / wide))
    parts += [
        Markup('<text class="tick middle" x="{:.1f}" y="{}">{}</text>').format(
            64 + wide * (i + 0.5), 24 * len(rows) + 15, _thousands(column)
        )
        for i, column in enumerate(columns)
        if i % step == 0
    ]
    return _svg(Markup("").join(parts), 24 * len(rows) + 22, title)


def _thousands(number: float) -> str:
    unit = 1024 if number % 1024 == 0 else 1000
    return f"{number / unit:.4g}K" if number >= 1000 else f"{number:g}"


def _grid(height: float) -> Markup:
    lines = [
        Markup('<path class="grid" d="M{0:.1f} 0V{1}"/><text class="tick middle" x="{0:.1f}" y="{2}">'
               "{3}</text>").format(_x(share / 4), height, height + 15, share * 25)
        for share in range(5)
    ]  # fmt: skip
    return Markup("").join(lines)


def _x(share: float) -> float:
    return _LABEL + (_WIDTH - _LABEL - _RIGHT) * share


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _svg(inside: Markup, height: float, title: str, *, width: int = _WIDTH) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {:.0f}" class="w{}" role="img" aria-label="{}">{}</svg>'
    ).format(width, height, width, title, inside)
