"""How far a run is, as a value: for a bar, for a line every ten seconds, for a log."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluator.judgement import Grade


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Samples are first tries; second ones are in the tokens only.

    num_before: samples that a run which is resumed had already. num_failed: those without an answer;
    last_failure: why the last that is in no score is not, by the endpoint's fault or the host's.
    """

    num_samples: int
    num_before: int = 0
    num_sampled: int = 0
    num_failed: int = 0
    last_failure: str = ""
    grades: Mapping[Grade, int] = field(default_factory=dict)
    completion_tokens: int = 0
    elapsed_seconds: float = 0.0

    @property
    def num_graded(self) -> int:
        """Samples that have a grade, of whichever kind."""
        return sum(self.grades.values())

    @property
    def score(self) -> float | None:
        """Share of right ones among those that count so far; None before the first."""
        scored = self.num_graded - self.grades.get(Grade.INFRASTRUCTURE, 0)
        return self.grades.get(Grade.PASS, 0) / scored if scored else None

    @property
    def infrastructure(self) -> float:
        """Share of the graded ones that our host or the endpoint failed at."""
        failed = self.grades.get(Grade.INFRASTRUCTURE, 0)
        return failed / self.num_graded if failed else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Of this run, from its start."""
        return self.completion_tokens / self.elapsed_seconds if self.elapsed_seconds else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """Time to the end at the pace since the start; None before there is one."""
        done = self.num_graded - self.num_before
        if done <= 0:
            return None
        return (self.num_samples - self.num_graded) * self.elapsed_seconds / done
