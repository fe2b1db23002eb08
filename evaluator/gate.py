"""The gate: whether a candidate's results are good enough, as a value with its evidence.

Each check holds, fails or is open: it holds when the bound is on the right side, fails when the
opposite bound is on the wrong one. All checks must hold, so asking many of them makes a false "passed"
less likely, not more: no correction for their number is due.
"""

from dataclasses import dataclass
from typing import Any, Literal

from evaluator.comparison import refuse_other_recipe, shared_problems
from evaluator.errors import NotComparable, RunIncomplete
from evaluator.gate_file import Gate, SuiteGate
from evaluator.interval import score_interval
from evaluator.paired import compare_paired, lower_bound, upper_bound
from evaluator.results import Results
from evaluator.suite_results import SuiteResults

Answer = Literal["holds", "fails", "open"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of one suite. value: what was measured; low, high: its one-sided bounds."""

    suite: str
    kind: Literal["floor", "not worse", "better"]
    answer: Answer
    value: float
    low: float
    high: float
    limit: float
    text: str


@dataclass(frozen=True, kw_only=True)
class SuiteEvidence:
    """What a suite's checks rest on. The paired figures are None without a live version.

    only_live, only_candidate: problems that one of the two solves by a majority of its samples.
    """

    suite: str
    recipe: str
    score: float
    low: float
    high: float
    num_problems: int
    num_samples: int
    live_score: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    only_live: int | None = None
    only_candidate: int | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What every answer carries."""

    candidate: str
    candidate_weights: str
    live: str
    live_weights: str
    confidence: float
    rules: str
    checks: tuple[Check, ...]
    evidence: tuple[SuiteEvidence, ...]

    @property
    def name(self) -> str:
        """The answer in one word."""
        return type(self).__name__.lower()

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON and for the record of a promotion."""
        plain = vars(self) | {
            "answer": self.name,
            "checks": [dict(vars(check)) for check in self.checks],
            "evidence": [dict(vars(suite)) for suite in self.evidence],
        }
        return dict(plain)


class Passed(Verdict):
    """Every check holds."""


class Failed(Verdict):
    """At least one check fails, beyond what chance explains."""


class Inconclusive(Verdict):
    """None fails, but the data cannot say yet that all hold: draw more samples."""


def decide(gate: Gate, candidate: Results, live: Results | None = None) -> Verdict:
    """The gate's answer. Pure: the same results give the same answer.

    Raises RunIncomplete when a run lacks what is asked of it, NotComparable when the candidate and the
    live version were not asked by one recipe.
    """
    if gate.needs_live and live is None:
        raise RunIncomplete(
            "the gate compares with the live version, and there are no results of it: give its run"
            " with --live, or take margin and improvement out of the gate"
        )
    checks: list[Check] = []
    evidence = []
    for name, asked in gate.suites.items():
        suite = _fit_suite(gate, name, asked, candidate)
        seen = _evidence(gate, suite, None if live is None else _fit_suite(gate, name, asked, live))
        evidence.append(seen)
        checks += _checks(asked, seen)
    answers = {check.answer for check in checks}
    kind = Failed if "fails" in answers else Inconclusive if "open" in answers else Passed
    return kind(
        candidate=candidate.run,
        candidate_weights=candidate.weights,
        live=live.run if live else "",
        live_weights=live.weights if live else "",
        confidence=gate.confidence,
        rules=gate.rules,
        checks=tuple(checks),
        evidence=tuple(evidence),
    )


def _fit_suite(gate: Gate, name: str, asked: SuiteGate, results: Results) -> SuiteResults:
    """A suite's results that are whole enough to be judged."""
    where = f"{results.folder}, {name}"
    if results.rules != gate.rules:
        raise RunIncomplete(
            f"{where}: read under {results.rules} rules, the gate is by {gate.rules}"
        )
    if name not in results.suites:
        raise RunIncomplete(f"{where}: the run did not ask this suite; run it, then ask again")
    suite = results.suites[name]
    for found, trouble in (
        (suite.num_missing, "problems have no sample: go on with --resume"),
        (suite.num_ungraded, f"samples are not graded under {gate.rules} rules: regrade the run"),
    ):
        if found:
            raise RunIncomplete(f"{where}: {found} {trouble}")
    if suite.infrastructure > gate.most_infrastructure:
        raise RunIncomplete(
            f"{where}: our host or the endpoint failed at {suite.infrastructure:.1%} of the samples, and"
            f" the gate allows {gate.most_infrastructure:.1%}: go on with --resume"
        )
    least = min((sum(1 for _ in p.tries()) for p in suite.problems), default=0)
    if least < asked.samples or not suite.least_samples:
        raise RunIncomplete(
            f"{where}: a problem has {least} samples, the gate asks {asked.samples}: draw more"
        )
    drawn = suite.facts.get("sampling") or results.manifest.get("sampling") or {}
    for key, value in gate.sampling.items():
        if drawn.get(key) != value:
            raise NotComparable(
                f"{where}: {key} was {drawn.get(key)!r}, the gate asks {value!r}: run it as asked"
            )
    return suite


def _evidence(gate: Gate, suite: SuiteResults, live: SuiteResults | None) -> SuiteEvidence:
    counts = suite.counts()
    # One-sided at c is the end of a two-sided interval at 2c - 1.
    bounds = score_interval([c / n for c, n in counts], confidence=2 * gate.confidence - 1)
    own: dict[str, Any] = {
        "suite": suite.name,
        "recipe": suite.recipe,
        "score": suite.headline.value,
        "low": bounds.low,
        "high": bounds.high,
        "num_problems": len(counts),
        "num_samples": suite.least_samples,
    }
    if live is None:
        return SuiteEvidence(**own)
    refuse_other_recipe(live, suite)
    both, left_out = shared_problems(live, suite)
    if not both or left_out:
        raise NotComparable(
            f"{suite.name}: {left_out} problems were scored in only one of the two runs: run both on"
            " the same problems"
        )
    before, after = [p.share for p, _ in both], [q.share for _, q in both]
    differences = [y - x for x, y in zip(before, after, strict=True)]
    paired = compare_paired(before, after, num_resamples=1)
    return SuiteEvidence(
        **own,
        live_score=paired.score_a,
        difference=paired.difference,
        difference_low=lower_bound(differences, confidence=gate.confidence),
        difference_high=upper_bound(differences, confidence=gate.confidence),
        only_live=paired.only_a,
        only_candidate=paired.only_b,
    )


def _checks(asked: SuiteGate, seen: SuiteEvidence) -> list[Check]:
    found = []
    if asked.floor is not None:
        found.append(_check(seen.suite, "floor", (seen.score, seen.low, seen.high), asked.floor))
    difference = (seen.difference, seen.difference_low, seen.difference_high)
    if asked.margin is not None:
        found.append(_check(seen.suite, "not worse", difference, -asked.margin))
    if asked.improvement is not None:
        found.append(_check(seen.suite, "better", difference, asked.improvement))
    return found


def _check(
    suite: str,
    kind: Literal["floor", "not worse", "better"],
    measured: tuple[float | None, float | None, float | None],
    limit: float,
) -> Check:
    value, low, high = (float(x) for x in measured if x is not None)
    is_strict = kind != "floor"
    holds = low > limit if is_strict else low >= limit
    fails = high < limit
    answer: Answer = "holds" if holds else "fails" if fails else "open"
    what = "score" if kind == "floor" else "candidate - live"
    text = (
        f"{what} {100 * value:+.1f} points, between {100 * low:+.1f} and {100 * high:+.1f};"
        f" the limit is {100 * limit:+.1f}"
    )
    return Check(
        suite=suite, kind=kind, answer=answer, value=value, low=low, high=high, limit=limit, text=text
    )  # fmt: skip
