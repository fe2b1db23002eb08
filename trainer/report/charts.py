"""Plots over iterations as inline SVG: no script, every text escaped, values in hover titles."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evaluator.interval import Interval
from evaluator.shown import percent, span
from trainer.curves import WINDOW, Break, smoothed
from trainer.report.frame import HEIGHT, WIDTH, Frame, Unit, frame

_MOST_COLUMNS = 120
"""Hover titles, or stacked bars, of one plot: more are narrower than a pointer."""
Points = Sequence[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values by iteration. colour: a class of the page, 0 to 6. is_other: of the run compared with."""

    label: str
    points: Points
    colour: int = 0
    is_other: bool = False


@dataclass(frozen=True, kw_only=True)
class Level:
    """A line across, such as where an alarm is raised."""

    value: float
    text: str


def curves_chart(
    title: str,
    curves: Sequence[Curve],
    unit: Unit,
    *,
    breaks: Sequence[Break] = (),
    level: Level | None = None,
    low: float | None = 0.0,
    high: float | None = None,
    is_log: bool = False,
) -> Markup:
    """Raw points, and WINDOW-iteration means that stop at breaks; empty where nothing is known."""
    values = [value for curve in curves for _, value in curve.points if math.isfinite(value)]
    if not values:
        return Markup("")
    iterations = _around([iteration for curve in curves for iteration, _ in curve.points])
    # A level far above all values would press them flat: then it is told, not drawn.
    is_near = level is not None and (is_log or level.value <= 4 * max(values))
    ends = [level.value] if level and is_near else []
    found = frame(iterations, [*values, *ends], unit, low=low, high=high, is_log=is_log)
    parts = [found.axes(), _breaks(found, breaks)]
    parts += [_curve(found, curve, breaks) for curve in curves]
    if level and is_near:
        parts.append(_level(found, level))
    parts.append(_hovers(found, curves, unit))
    return _svg(title, parts)


def _around(iterations: Sequence[int]) -> list[float]:
    """Half an iteration more on both sides: one iteration alone has a middle, too."""
    return [min(iterations) - 0.5, max(iterations) + 0.5]


def _curve(found: Frame, curve: Curve, breaks: Sequence[Break]) -> Markup:
    other = " other" if curve.is_other else ""
    known = [(i, v) for i, v in curve.points if math.isfinite(v) and (v > 0 or not found.is_log)]
    dots = "".join(f"M{found.x(i):.1f} {found.y(v):.1f}h0" for i, v in known)
    lines = smoothed(known, breaks)
    path = "".join(_path(found, line) for line in lines)
    return Markup('<path class="dots k{}{}" d="{}"/><path class="mean k{}{}" d="{}"/>').format(
        curve.colour, other, dots, curve.colour, other, path
    )


def _path(found: Frame, points: Points) -> str:
    places = [f"{found.x(i):.1f} {found.y(v):.1f}" for i, v in points]
    return f"M{'L'.join(places)}" if places else ""


def _breaks(found: Frame, breaks: Sequence[Break]) -> Markup:
    """A line half an iteration before, numbered; the page tells the reasons once."""
    parts, numbers = [], 0
    for one in breaks:
        numbers += one.is_new_mix
        if not found.first < one.iteration <= found.last:
            continue
        x = found.x(one.iteration - 0.5)
        kind, told = ("break", str(numbers)) if one.is_new_mix else ("mark", "")
        parts.append(
            Markup('<path class="{}" d="M{:.1f} {}V{}"><title>{}</title></path>'
                   '<text class="tick middle" x="{:.1f}" y="{}">{}</text>').format(
                kind, x, found.top, found.bottom, f"from iteration {one.iteration}: {one.text}",
                x, found.top - 5, told)
        )  # fmt: skip
    return Markup("").join(parts)


def _level(found: Frame, level: Level) -> Markup:
    y, left = found.y(level.value), found.x(found.first)
    return Markup(
        '<path class="level" d="M{:.1f} {:.1f}H{:.1f}"/><text class="tick" x="{:.1f}" y="{:.1f}">{}</text>'
    ).format(left, y, found.x(found.last), left + 4, y - 4, level.text)


def _hovers(found: Frame, curves: Sequence[Curve], unit: Unit) -> Markup:
    """Invisible columns whose titles tell the values at an iteration."""
    told: dict[int, list[str]] = {}
    for curve in curves:
        for iteration, value in curve.points:
            if math.isfinite(value):
                told.setdefault(iteration, []).append(f"{curve.label}: {unit(value)}")
    iterations = sorted(told)[:: math.ceil(len(told) / _MOST_COLUMNS) or 1]
    wide = (WIDTH - 62) / max(1, len(iterations))
    return Markup("").join(
        Markup('<rect class="hover" x="{:.1f}" y="0" width="{:.1f}" height="{}"><title>{}</title>'
               "</rect>").format(
            found.x(i) - wide / 2, wide, HEIGHT, f"iteration {i}\n" + "\n".join(told[i]))
        for i in iterations
    )  # fmt: skip


def stacked_chart(
    title: str,
    layers: Mapping[str, Points],
    unit: Unit,
    *,
    colours: Mapping[str, str] | None = None,
    line: Points = (),
    line_label: str = "",
    breaks: Sequence[Break] = (),
    high: float | None = None,
) -> Markup:
    """Bars of layers, one on the other; many iterations share a bar, as their mean.

    layers: by name, drawn in the class that colours gives it, else in k0, k1 and so on. line: a value over the bars, such as the time that passed where layers ran beside each other.
    """
    iterations = sorted({i for points in layers.values() for i, _ in points})
    if not iterations or not any(v > 0 for points in layers.values() for _, v in points):
        return Markup("")
    size = math.ceil(len(iterations) / _MOST_COLUMNS)
    bins = [iterations[start : start + size] for start in range(0, len(iterations), size)]
    values = {name: dict(points) for name, points in layers.items()}
    drawn = [(colours or {}).get(name, f"k{place}") for place, name in enumerate(layers)]
    heights = [[_bin(values[name], some) for name in layers] for some in bins]
    tall = [sum(height) for height in heights] + [v for _, v in line if math.isfinite(v)]
    found = frame(_around(iterations), tall, unit, high=high)
    wide = (WIDTH - 62) / len(bins)
    parts = [found.axes()]
    for some, height in zip(bins, heights, strict=True):
        parts.append(_stack(found, some, list(zip(layers, drawn, height, strict=True)), wide, unit))
    if line:
        means = [(some[0], _bin(dict(line), some)) for some in bins]
        parts.append(Markup('<path class="over" d="{}"><title>{}</title></path>').format(
            _path(found, means), line_label))  # fmt: skip
    return _svg(title, [*parts, _breaks(found, breaks)])


def _bin(values: Mapping[int, float], some: Sequence[int]) -> float:
    """Mean over iterations, unknown ones as nothing: a phase that did not happen took no time."""
    return sum(v for i in some if math.isfinite(v := values.get(i, 0.0))) / len(some)


def _stack(
    found: Frame,
    some: Sequence[int],
    layers: Sequence[tuple[str, str, float]],
    wide: float,
    unit: Unit,
) -> Markup:
    """layers: name, class and height of each, from below."""
    place = f"iteration {some[0]}" + (f" to {some[-1]}" if len(some) > 1 else "")
    base, parts = 0.0, []
    x = found.x((some[0] + some[-1]) / 2) - wide / 2
    for name, colour, value in layers:
        y, foot = found.y(base + value), found.y(base)
        base += value
        parts.append(
            Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}'
                   "</title></rect>").format(
                colour, x, y, max(wide - 0.8, 0.8), max(foot - y, 0),
                f"{place}\n{name}: {unit(value)}")
        )  # fmt: skip
    return Markup("").join(parts)


def shares_chart(title: str, shares: Mapping[str, float]) -> Markup:
    """A bar for each part of a whole, with its percent."""
    parts = [
        Markup('<text class="tick end" x="130" y="{0}">{1}</text><rect class="k0" x="138" y="{2}"'
               ' width="{3:.1f}" height="16" rx="2"/><text class="tick" x="{4:.1f}" y="{0}">{5} %'
               "</text>").format(
            26 * row + 20, name, 26 * row + 8, max(1.0, 310 * share), 146 + 310 * share,
            percent(share))
        for row, (name, share) in enumerate(shares.items())
    ]  # fmt: skip
    return _svg(title, parts, height=26 * len(shares) + 12)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A share and how sure it is, at an iteration."""

    iteration: int
    value: float
    interval: Interval
    is_other: bool = False


def estimates_chart(title: str, estimates: Sequence[Estimate]) -> Markup:
    """Points with whiskers, joined per run; empty for none."""
    known = [one for one in estimates if math.isfinite(one.value)]
    if not known:
        return Markup("")
    iterations = [one.iteration for one in known]
    pad = max(0.5, (max(iterations) - min(iterations)) / 40)
    ends = [min(iterations) - pad, max(iterations) + pad]
    found = frame(ends, [one.interval.high for one in known], lambda share: percent(share, 0))
    parts = [found.axes()]
    for is_other in (False, True):
        some = [one for one in known if one.is_other == is_other]
        other = " other" if is_other else ""
        colour = 1 if is_other else 0
        path = _path(found, [(one.iteration, one.value) for one in some])
        parts.append(Markup('<path class="mean k{}{}" d="{}"/>').format(colour, other, path))
        # Beside each other: both runs are evaluated after the same iterations.
        parts += [_whisker(found, one, colour, pad / 4 if is_other else 0.0) for one in some]
    return _svg(title, parts)


def _whisker(found: Frame, one: Estimate, colour: int, shift: float) -> Markup:
    x = found.x(one.iteration + shift)
    low, high = found.y(one.interval.low), found.y(one.interval.high)
    title = f"after iteration {one.iteration}: {percent(one.value)} % ({span(one.interval)})"
    return Markup(
        '<g><title>{}</title><path class="whisker" d="M{:.1f} {:.1f}V{:.1f}M{:.1f} {:.1f}h8M{:.1f}'
        ' {:.1f}h8"/><circle class="k{}" cx="{:.1f}" cy="{:.1f}" r="4"/></g>'
    ).format(title, x, low, high, x - 4, low, x - 4, high, colour, x, found.y(one.value))


def _svg(title: str, parts: Sequence[Markup], *, height: int = HEIGHT) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" class="chart" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, height, title, Markup("").join(parts))


SMOOTHED = f"{WINDOW}-iteration means over the iterations' own values"
