"""The report's plots, by section: which numbers a person looks at together, and how to read them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evaluator import shown
from trainer.alarms import (
    CUT_LEVEL,
    ENTROPY_LEVEL,
    LIVE_LEVEL,
    MISMATCH_LEVEL,
    STALE_MISMATCH_LEVEL,
)
from trainer.curves import RunLog
from trainer.gain import solve_interval
from trainer.prompt_mix import breaks_of
from trainer.report import parts
from trainer.report.charts import Curve, Estimate, Level, curves_chart, estimates_chart
from trainer.report.panel import Panel, gigabytes, numbered, points_of, share, small
from trainer.report.rivals import names_of


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
_STALE_HINT = "Of tokens a version old, what the policy moved meanwhile counts, too."
_POLICY = "Means over the trained tokens of an iteration."


class _Panels:
    def __init__(self, log: RunLog, other: RunLog | None) -> None:
        self._log, self._other = log, other
        self._breaks = breaks_of(log)
        self._other_name = names_of(log, other)[1] if other else ""

    def reward(self) -> list[Panel]:
        return [
            self._panel("Solve rate", _Drawn(names={"solve_rate": "right"}, unit=share)),
            self._mean_reward(),
            parts.sources(self._log, self._breaks),
            parts.reasons(self._log, self._breaks),
            self._panel(
                "Rewarded, but hold-out tests fail",
                _Drawn(
                    names={"holdout_disagreement": "of rewarded answers"}, unit=share,
                    hint="These tests never reward: a rise is a model that learns the tests.",
                ),
            ),
        ]  # fmt: skip

    def answers(self) -> list[Panel]:
        return [
            self._panel(
                "Groups that teach",
                _Drawn(
                    names={"live_share": "with different rewards"}, unit=share, high=1,
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
                _Drawn(names={"truncated_share": "of answers"}, unit=share,
                       level=Level(value=CUT_LEVEL, text="much")),
            ),
            self._panel(
                "No verdict, by our own fault",
                _Drawn(names={"uncounted_share": "of answers"}, unit=share,
                       hint="In no group and in no other figure."),
            ),
        ]  # fmt: skip

    def policy(self) -> list[Panel]:
        is_stale = any(value > 0 for _, value in points_of(self._log, "stale_share"))
        level = STALE_MISMATCH_LEVEL if is_stale else MISMATCH_LEVEL
        return [
            self._panel(
                "Entropy, nats a token",
                _Drawn(names={"entropy": "entropy"}, unit=small,
                       level=Level(value=ENTROPY_LEVEL, text="harmful above")),
            ),
            self._panel(
                "Clipped tokens",
                _Drawn(names={"clip_high_share": "above", "clip_low_share": "below"}, unit=share),
            ),
            self._panel(
                "Sampler against learner, KL a token",
                _Drawn(names={"mismatch_kl": "mean(exp(d) - d - 1)"}, unit=small, is_log=True,
                       level=Level(value=level, text=f"alarm {level:g}"),
                       hint=_STALE_HINT if level > MISMATCH_LEVEL else ""),
            ),
            self._panel("Gradient norm, before clipping",
                        _Drawn(names={"gradient_norm": "norm"}, unit=small)),
            self._panel("Largest probability ratio",
                        _Drawn(names={"ratio_max": "ratio"}, unit=small, is_log=True)),
            self._panel("Learning rate", _Drawn(names={"learning_rate": "rate"}, unit=small)),
            parts.staleness(self._log),
        ]  # fmt: skip

    def time(self) -> list[Panel]:
        latency = {f"reward_latency_{p}_seconds": p for p in ("p50", "p90", "p99", "max")}
        idle = {"sampler_idle_share": "sampler", "learner_idle_share": "learner"}
        return [
            parts.phases(self._log, self._breaks),
            self._panel("Waiting, of the iteration's time",
                        _Drawn(names=idle, unit=share, high=1)),
            self._panel("From answer to verdict",
                        _Drawn(names=latency, unit=shown.seconds, is_log=True)),
            self._panel("Sampled tokens a second",
                        _Drawn(names={"sampled_tokens_per_second": "tokens/s"}, unit=shown.count)),
            self._panel("Resident memory of the trainer",
                        _Drawn(names={"resident_bytes": "resident"}, unit=gigabytes)),
        ]  # fmt: skip

    def _mean_reward(self) -> Panel:
        """Left out where rewards are 0 or 1: then it is the solve rate."""
        pairs = zip(
            points_of(self._log, "reward_mean"), points_of(self._log, "solve_rate"), strict=True
        )
        if all(math.isclose(mean, rate, abs_tol=1e-9) for (_, mean), (_, rate) in pairs):
            return Panel(title="")
        return self._panel("Mean reward", _Drawn(names={"reward_mean": "reward"}, unit=small))

    def _panel(self, title: str, drawn: _Drawn) -> Panel:
        curves = [
            Curve(
                label=label if run is self._log else f"{label}, {self._other_name}",
                points=points_of(run, name),
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
        legend = numbered(drawn.names.values()) if len(drawn.names) > 1 else []
        return Panel(title=title, plot=plot, legend=legend, hint=drawn.hint)


def _is_known(value: float) -> bool:
    return not math.isnan(value)
