"""The report's plots, by section: which numbers a person looks at together, and how to read them."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evaluator import shown
from evaluator.charts import Bar, score_bars
from trainer.alarms import CUT_LEVEL, ENTROPY_LEVEL, LIVE_LEVEL, MISMATCH_LEVEL
from trainer.curves import RunLog, ratio
from trainer.gain import solve_interval
from trainer.metrics import BY_NAME
from trainer.prompt_mix import breaks_of
from trainer.report.charts import (
    Curve,
    Estimate,
    Level,
    Points,
    curves_chart,
    estimates_chart,
    stacked_chart,
)

_PHASES = ("sampling", "grading", "training", "publishing")
_MOST_PARTS = 6
"""Colours that can be told apart; the rest is one more."""
REST = "others"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A plot with its reading aid. legend: colour's number and what it stands for."""

    title: str
    plot: Markup
    legend: Sequence[tuple[int, str]] = ()
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Plots that answer one question."""

    title: str
    hint: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """What is asked of a plot of metrics."""

    names: Mapping[str, str]
    unit: Callable[[float], str]
    level: Level | None = None
    high: float | None = None
    is_log: bool = False
    hint: str = ""


def sections(log: RunLog, other: RunLog | None = None) -> list[Section]:
    """Sections with at least one plot; plots of what the log does not tell are left out."""
    make = _Panels(log, other)
    found = [
        Section(title="Reward on the prompts of training", hint=_REWARD, panels=make.reward()),
        Section(title="Groups, and answers' lengths", hint="", panels=make.answers()),
        Section(title="The policy", hint=_POLICY, panels=make.policy()),
        Section(title="Time and memory", hint="", panels=make.time()),
    ]
    known = [
        Section(title=one.title, hint=one.hint, panels=[p for p in one.panels if p.plot])
        for one in found
    ]
    return [one for one in known if one.panels]


def held_out(log: RunLog, other: RunLog | None = None) -> Panel:
    """Evaluations with their intervals over kinds."""
    estimates = [
        Estimate(
            iteration=row["iteration"], value=value, interval=interval, is_other=run is not log
        )
        for run in (log, other)
        if run is not None
        for row in run.evaluations
        for value, interval in [solve_interval(row)]
    ]
    title = "Held-out problems solved, %"
    return Panel(title=title, plot=estimates_chart(title, estimates))


_REWARD = (
    "Of whatever was asked in an iteration, not of a fixed set: only held-out problems tell what was"
    " learned. Means stop where the prompts change."
)
_POLICY = "Means over the trained tokens of an iteration."


def _share(value: float) -> str:
    return f"{shown.percent(value, 1 if value < 0.1 else 0)} %"


def _small(value: float) -> str:
    return f"{value:.3g}"


def _gib(value: float) -> str:
    return f"{value / 2**30:.2f} GiB"


class _Panels:
    def __init__(self, log: RunLog, other: RunLog | None) -> None:
        self._log, self._other = log, other
        self._breaks = breaks_of(log)

    def reward(self) -> list[Panel]:
        return [
            self._panel("Solve rate", _Drawn(names={"solve_rate": "right"}, unit=_share)),
            self._panel("Mean reward", _Drawn(names={"reward_mean": "reward"}, unit=_small)),
            self._sources(),
            self._reasons(),
            self._panel(
                "Rewarded, but hold-out tests fail",
                _Drawn(
                    names={"holdout_disagreement": "of rewarded answers"}, unit=_share,
                    hint="These tests never reward: a rise is a model that learns the tests.",
                ),
            ),
        ]  # fmt: skip

    def answers(self) -> list[Panel]:
        return [
            self._panel(
                "Groups that teach",
                _Drawn(
                    names={"live_share": "with different rewards"}, unit=_share, high=1,
                    level=Level(value=LIVE_LEVEL, text="few"),
                ),
            ),
            self._panel(
                "Dead groups replaced", _Drawn(names={"replaced_groups": "groups"}, unit=shown.count)
            ),
            self._panel(
                "Length of answers, tokens",
                _Drawn(names={"answer_tokens": "mean", "answer_tokens_max": "longest"},
                       unit=shown.count),
            ),
            self._panel(
                "Cut at the limit",
                _Drawn(names={"truncated_share": "of answers"}, unit=_share,
                       level=Level(value=CUT_LEVEL, text="much")),
            ),
            self._panel(
                "No verdict, by our own fault",
                _Drawn(names={"uncounted_share": "of answers"}, unit=_share,
                       hint="In no group and in no other figure."),
            ),
        ]  # fmt: skip

    def policy(self) -> list[Panel]:
        return [
            self._panel(
                "Entropy, nats a token",
                _Drawn(names={"entropy": "entropy"}, unit=_small,
                       level=Level(value=ENTROPY_LEVEL, text="above: harmful")),
            ),
            self._panel(
                "Clipped tokens",
                _Drawn(names={"clip_high_share": "above", "clip_low_share": "below"}, unit=_share),
            ),
            self._panel(
                "Sampler against learner, KL a token",
                _Drawn(names={"mismatch_kl": "mean(exp(d) - d - 1)"}, unit=_small, is_log=True,
                       level=Level(value=MISMATCH_LEVEL, text=f"alarm {MISMATCH_LEVEL:g}")),
            ),
            self._panel("Gradient norm, before clipping",
                        _Drawn(names={"gradient_norm": "norm"}, unit=_small)),
            self._panel("Largest probability ratio",
                        _Drawn(names={"ratio_max": "ratio"}, unit=_small, is_log=True)),
            self._panel("Learning rate", _Drawn(names={"learning_rate": "rate"}, unit=_small)),
            self._staleness(),
        ]  # fmt: skip

    def time(self) -> list[Panel]:
        latency = {f"reward_latency_{p}_seconds": p for p in ("p50", "p90", "p99", "max")}
        idle = {"sampler_idle_share": "sampler", "learner_idle_share": "learner"}
        return [
            self._phases(),
            self._panel("Waiting, of the iteration's time",
                        _Drawn(names=idle, unit=_share, high=1)),
            self._panel("From answer to verdict",
                        _Drawn(names=latency, unit=shown.seconds, is_log=True)),
            self._panel("Sampled tokens a second",
                        _Drawn(names={"sampled_tokens_per_second": "tokens/s"}, unit=shown.count)),
            self._panel("Resident memory of the trainer",
                        _Drawn(names={"resident_bytes": "resident"}, unit=_gib)),
        ]  # fmt: skip

    def _panel(self, title: str, drawn: _Drawn) -> Panel:
        curves = [
            Curve(
                label=label if run is self._log else f"{label}, {run.name}",
                points=_points(run, name),
                colour=colour,
                is_other=run is not self._log,
            )
            for run in (self._log, self._other)
            if run is not None
            for colour, (name, label) in enumerate(drawn.names.items())
        ]
        if not any(value != 0 for curve in curves for _, value in curve.points if _is_known(value)):
            # Nothing but zeros is said in a word, and a log axis has no place for it.
            has_any = any(_is_known(value) for curve in curves for _, value in curve.points)
            zero = Markup('<p class="zero">0 in every iteration</p>') if has_any else Markup("")
            return Panel(title=title, plot=zero, hint=drawn.hint)
        plot = curves_chart(
            title, curves, drawn.unit, breaks=self._breaks, level=drawn.level, high=drawn.high,
            is_log=drawn.is_log,
        )  # fmt: skip
        legend = list(enumerate(drawn.names.values())) if len(drawn.names) > 1 else []
        return Panel(title=title, plot=plot, legend=legend, hint=drawn.hint)

    def _sources(self) -> Panel:
        """The solve rate of each source, where there is more than one."""
        sizes: Counter[str] = Counter()
        for row in self._log.iterations:
            sizes.update({name: both[0] for name, both in (row.get("sources") or {}).items()})
        title = "Solve rate by source"
        if len(sizes) < 2:
            return Panel(title=title, plot=Markup(""))
        names = [name for name, _ in sizes.most_common(_MOST_PARTS)]
        curves = []
        for colour, name in enumerate(names):
            pairs = [
                (r["iteration"], (r.get("sources") or {}).get(name)) for r in self._log.iterations
            ]
            rates = [(i, ratio(both[1], both[0])) for i, both in pairs if both]
            curves.append(Curve(label=name, points=rates, colour=colour))
        plot = curves_chart(title, curves, _share, breaks=self._breaks)
        return Panel(title=title, plot=plot, legend=list(enumerate(names)))

    def _reasons(self) -> Panel:
        """What became of the answers, in shares."""
        total: Counter[str] = Counter()
        for row in self._log.iterations:
            total.update(row.get("reasons") or {})
        names = [name for name, _ in total.most_common(_MOST_PARTS)]
        layers: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
        if len(total) > len(names):
            layers[REST] = []
        for row in self._log.iterations:
            reasons = row.get("reasons") or {}
            count = sum(reasons.values())
            for name in names:
                layers[name].append((row["iteration"], reasons.get(name, 0) / max(1, count)))
            if REST in layers:
                left = count - sum(reasons.get(name, 0) for name in names)
                layers[REST].append((row["iteration"], left / max(1, count)))
        title = "What became of the answers"
        plot = stacked_chart(title, layers, _share, breaks=self._breaks)
        return Panel(title=title, plot=plot, legend=list(enumerate(layers)))

    def _staleness(self) -> Panel:
        counts: Counter[str] = Counter()
        for row in self._log.iterations:
            counts.update(row.get("staleness") or {})
        total, title = counts.total(), "Versions that trained tokens were behind, % of them"
        if not total:
            return Panel(title=title, plot=Markup(""))
        bars = [
            Bar(label=_behind(int(age)), value=count / total, note=f"{count:,.0f} tokens")
            for age, count in sorted(counts.items(), key=lambda item: int(item[0]))
        ]
        return Panel(title=title, plot=score_bars(bars))

    def _phases(self) -> Panel:
        layers = {phase: _points(self._log, f"{phase}_seconds") for phase in _PHASES}
        layers = {name: points for name, points in layers.items() if any(v > 0 for _, v in points)}
        title = "Where an iteration's time goes"
        plot = stacked_chart(
            title, layers, shown.seconds, line=_points(self._log, "iteration_seconds"),
            line_label="time from row to row", breaks=self._breaks,
        )  # fmt: skip
        hint = (
            "Line: time that passed. Bars above it ran beside each other; what is between was spent on"
            " evaluations, checkpoints and waiting."
        )
        return Panel(title=title, plot=plot, legend=list(enumerate(layers)), hint=hint)


def _points(log: RunLog, name: str) -> Points:
    read = BY_NAME[name].read
    return [(row["iteration"], read(row)) for row in log.iterations]


def _is_known(value: float) -> bool:
    return not math.isnan(value)


def _behind(age: int) -> str:
    return {0: "none: on policy", 1: "one"}.get(age, str(age))
