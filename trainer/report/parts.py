"""Plots of parts of a whole: sources, what became of answers, staleness, phases."""

from collections import Counter
from collections.abc import Sequence

from evaluator import shown
from evaluator.judgement import Grade
from evaluator.report_html import cut
from trainer.curves import Break, RunLog, ratio
from trainer.report.charts import Curve, curves_chart, shares_chart, stacked_chart
from trainer.report.panel import Panel, numbered, points_of, share

_PHASES = ("sampling", "grading", "training", "publishing")
_MOST_PARTS = 6
"""Colours that can be told apart; the rest is one more."""
REST = "others"
# As in the evaluator's report: a grade has its colour in both. "format" is trainer.reward's.
_REASON_COLOURS = {grade.value: f"g-{grade.value}" for grade in Grade} | {"format": "k4"}


def sources(log: RunLog, breaks: Sequence[Break]) -> Panel:
    """The solve rate of each source, where there is more than one."""
    sizes: Counter[str] = Counter()
    for row in log.iterations:
        sizes.update({name: both[0] for name, both in (row.get("sources") or {}).items()})
    title = "Solve rate by source"
    if len(sizes) < 2:
        return Panel(title=title)
    names = [name for name, _ in sizes.most_common(_MOST_PARTS)]
    curves = []
    for colour, name in enumerate(names):
        pairs = [(r["iteration"], (r.get("sources") or {}).get(name)) for r in log.iterations]
        rates = [(i, ratio(both[1], both[0])) for i, both in pairs if both]
        curves.append(Curve(label=name, points=rates, colour=colour))
    plot = curves_chart(title, curves, share, breaks=breaks)
    return Panel(title=title, plot=plot, legend=numbered(names))


def reasons(log: RunLog, breaks: Sequence[Break]) -> Panel:
    """What became of the answers, in shares."""
    total: Counter[str] = Counter()
    for row in log.iterations:
        total.update(row.get("reasons") or {})
    # What passed lies below, where its growth can be seen.
    names = [name for name, _ in total.most_common(_MOST_PARTS)]
    names.sort(key=lambda name: name != Grade.PASS.value)
    layers: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
    if len(total) > len(names):
        layers[REST] = []
    for row in log.iterations:
        told = row.get("reasons") or {}
        count = sum(told.values())
        for name in names:
            layers[name].append((row["iteration"], told.get(name, 0) / max(1, count)))
        if REST in layers:
            left = count - sum(told.get(name, 0) for name in names)
            layers[REST].append((row["iteration"], left / max(1, count)))
    title = "What became of the answers"
    colours = {name: found for name in layers if (found := _REASON_COLOURS.get(name))}
    plot = stacked_chart(title, layers, share, colours=colours, breaks=breaks)
    legend = [
        (colours.get(name, f"k{place}"), cut(name.replace("_", " "), 80))
        for place, name in enumerate(layers)
    ]
    return Panel(title=title, plot=plot, legend=legend)


def staleness(log: RunLog) -> Panel:
    """Over the whole run."""
    counts: Counter[str] = Counter()
    for row in log.iterations:
        counts.update(row.get("staleness") or {})
    total, title = counts.total(), "Versions that trained tokens were behind"
    if not total:
        return Panel(title=title)
    shares = {
        _behind(int(age)): count / total
        for age, count in sorted(counts.items(), key=lambda item: int(item[0]))
    }
    return Panel(title=title, plot=shares_chart(title, shares))


def phases(log: RunLog, breaks: Sequence[Break]) -> Panel:
    """Seconds of each phase, and the time that passed."""
    layers = {phase: points_of(log, f"{phase}_seconds") for phase in _PHASES}
    layers = {name: points for name, points in layers.items() if any(v > 0 for _, v in points)}
    title = "Where an iteration's time goes"
    plot = stacked_chart(
        title, layers, shown.seconds, line=points_of(log, "iteration_seconds"),
        line_label="time from row to row", breaks=breaks,
    )  # fmt: skip
    hint = (
        "Line: time that passed. Bars above it ran beside each other; what is between was spent on"
        " evaluations, checkpoints and waiting."
    )
    return Panel(title=title, plot=plot, legend=numbered(layers), hint=hint)


def _behind(age: int) -> str:
    return {0: "none: on policy", 1: "one"}.get(age, str(age))
