"""What a run came to on one suite: outcomes by problem, and every number that reports show of them.

A host failure is in no denominator. The first try counts as pass@1; where a suite gives a second try,
the last one counts as "second try".
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evaluator.asked import Asked
from evaluator.interval import Interval, clustered_error, fixed_set_error, score_interval
from evaluator.journal import Record
from evaluator.judgement import Grade
from evaluator.pass_at_k import majority_at_k, pass_at_k, pass_hat_k

KS = (1, 2, 4, 5, 8, 10, 16, 32, 64, 100)
"""k of the pass@k that reports show, as far as every problem has so many samples."""

Counts = list[tuple[int, int]]
"""(right, scored) samples of each problem that has a scored one."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number of a suite, as a share from 0 to 1.

    name: such as "pass@1", or the suite's own metric. part: such as "plus", "" for the whole. error: of the mean if other
    problems like these had been drawn; fixed_set_error: if these were sampled again; nan where
    unknown. num_samples: the fewest that a problem has.
    """

    name: str
    part: str = ""
    value: float
    interval: Interval
    error: float
    fixed_set_error: float
    num_problems: int
    num_samples: int

    @property
    def label(self) -> str:
        """The name with its part, such as "pass@1 base"."""
        return f"{self.name} {self.part}".strip()


@dataclass(frozen=True, kw_only=True)
class ProblemResult:
    """The tries at one problem, ordered by index and attempt. asked: where the run wrote it down."""

    id: str
    records: tuple[Record, ...]
    asked: Asked | None = None

    def tries(self, *, last: bool = False) -> Iterator[Record]:
        """One record a sample: its first try, or its last."""
        chosen: dict[int, Record] = {}
        for record in self.records:
            if last or record.sample.index not in chosen:
                chosen[record.sample.index] = record
        yield from chosen.values()

    def count(self, part: str = "", *, last: bool = False) -> tuple[int, int]:
        """(right, scored) of its samples. part: a named part of the score, "" for the whole."""
        scored = [
            r.judgement for r in self.tries(last=last) if r.judgement and r.judgement.is_scored
        ]
        right = [j.scores.get(part, j.is_right) if part else j.is_right for j in scored]
        return sum(right), len(scored)

    @property
    def share(self) -> float:
        """Right samples of the scored ones; nan when none is scored."""
        right, count = self.count()
        return right / count if count else math.nan


@dataclass(frozen=True, kw_only=True)
class SuiteResults:
    """One suite of one run. facts: what the run's manifest says of it, any key may lack."""

    name: str
    problems: tuple[ProblemResult, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> str:
        """The recipe's id, "" where the manifest has none: then nothing is comparable with it."""
        found = self.facts.get("recipe", "")
        return str(found.get("id", "")) if isinstance(found, Mapping) else str(found)

    @property
    def recipe_parts(self) -> dict[str, Any]:
        """What the recipe's id is made of."""
        found = self.facts.get("recipe")
        inside = found.get("parts") if isinstance(found, Mapping) else None
        return dict(inside or self.facts.get("parts") or self.facts.get("recipe_parts") or {})

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of the score, the headline's last; empty where there is one score."""
        named = tuple(self.facts.get("scores") or ())
        if not named:
            named = tuple(
                dict.fromkeys(p for r in self.records() if r.judgement for p in r.judgement.scores)
            )
        return named if len(named) > 1 else ()

    def records(self) -> Iterator[Record]:
        """Every try at every problem."""
        for problem in self.problems:
            yield from problem.records

    def first_tries(self) -> Iterator[Record]:
        """The first try of every sample."""
        for problem in self.problems:
            yield from problem.tries()

    @cached_property
    def grades(self) -> dict[Grade, int]:
        """Number of samples in each of the twelve classes, all named; adds up to the graded ones."""
        found = Counter(r.judgement.grade for r in self.first_tries() if r.judgement)
        return {grade: found[grade] for grade in Grade}

    @cached_property
    def num_samples(self) -> int:
        """Samples drawn, second tries not counted."""
        return sum(1 for _ in self.first_tries())

    @property
    def num_ungraded(self) -> int:
        """Samples without a judgement under these rules."""
        return self.num_samples - sum(self.grades.values())

    @property
    def num_missing(self) -> int:
        """Problems of the run that have no sample yet."""
        expected = self.facts.get("num_problems") or len(self.problems)
        return max(0, int(expected) - len(self.problems))

    @property
    def has_second_try(self) -> bool:
        """Whether any sample was tried twice."""
        return any(r.sample.attempt > 1 for r in self.records())

    @property
    def truncation(self) -> float:
        """Share of the samples that the model did not bring to an end."""
        cut = sum(r.sample.finish_reason == "length" for r in self.first_tries())
        return cut / self.num_samples if self.num_samples else 0.0

    @property
    def infrastructure(self) -> float:
        """Share of the graded samples that our host or the endpoint failed at."""
        graded = sum(self.grades.values())
        return self.grades[Grade.INFRASTRUCTURE] / graded if graded else 0.0

    def counts(self, part: str = "", *, last: bool = False) -> Counts:
        """(right, scored) of each problem that has a scored sample."""
        return [c for p in self.problems if (c := p.count(part, last=last))[1]]

    @property
    def least_samples(self) -> int:
        """The fewest scored samples that a problem has."""
        return min((n for _, n in self.counts()), default=0)

    @cached_property
    def headline(self) -> Score:
        """pass@1 of the whole: what the suite is known by."""
        return self.score(part=self.parts[-1] if self.parts else "")

    def score(self, k: int = 1, part: str = "", *, last: bool = False) -> Score:
        """pass@k. Raises UsageRefused when a problem has fewer than k samples."""
        whole = part if not self.parts or part != self.parts[-1] else ""
        counts = self.counts(whole, last=last)
        scores = [pass_at_k(n, c, k) for c, n in counts]
        fixed = fixed_set_error(counts) if k == 1 else math.nan
        name = "second try" if last else self._metric if k == 1 else f"pass@{k}"
        return _score(name, part, scores, counts, fixed)

    @property
    def _metric(self) -> str:
        """What one sample's score is called: pass@1, or what the suite says, such as "exact match"."""
        said = str(self.facts.get("metric") or "")
        return said if said and "@" not in said else "pass@1"

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """Every number: pass@1 by part, the headline first, then larger k, pass^n, maj@n."""
        found = [self.headline, *(self.score(part=part) for part in self.parts[:-1])]
        if self.has_second_try:
            found.append(self.score(last=True))
        counts, least = self.counts(), self.least_samples
        found += [self.score(k) for k in KS if 1 < k <= least]
        if least > 1:
            always = [pass_hat_k(n, c, least) for c, n in counts]
            found.append(_score(f"pass^{least}", "", always, counts, math.nan))
            if self._is_voted:
                found.append(self._majority(least))
        return tuple(found)

    @property
    def _is_voted(self) -> bool:
        kinds = {p.asked.kind for p in self.problems if p.asked}
        return kinds == {"MathTask"} or "maj" in str(self.facts.get("metric", ""))

    def _majority(self, k: int) -> Score:
        scores = []
        for problem in self.problems:
            judged = [r.judgement for r in problem.tries() if r.judgement and r.judgement.is_scored]
            if judged:
                answers = [" ".join(j.code.split()) for j in judged]
                scores.append(majority_at_k(answers, [j.is_right for j in judged], k))
        return _score(f"maj@{k}", "", scores, self.counts(), math.nan)


def _score(name: str, part: str, scores: Sequence[float], counts: Counts, fixed: float) -> Score:
    return Score(
        name=name,
        part=part,
        value=math.fsum(scores) / len(scores) if scores else math.nan,
        interval=score_interval(scores),
        error=clustered_error(scores),
        fixed_set_error=fixed,
        num_problems=len(scores),
        num_samples=min((n for _, n in counts), default=0),
    )
