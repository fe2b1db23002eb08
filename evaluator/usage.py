"""What a suite's samples took: tokens, time, money, and the processor time of grading them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evaluator.journal import Record


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Sums and quantiles over every try, second ones included.

    cost: US dollars, or None where no price is known. cpu_milliseconds: of programs, mean a graded
    sample. completion_tokens, latency_seconds: one a try that has an answer.
    """

    num_tries: int
    prompt_tokens: int
    completion_tokens: tuple[int, ...]
    latency_seconds: tuple[float, ...]
    first_token_seconds: tuple[float, ...]
    num_retries: int
    cost: float | None
    cpu_milliseconds: float

    @property
    def mean_tokens(self) -> float:
        """Tokens of an answer, mean; nan without answers."""
        count = len(self.completion_tokens)
        return sum(self.completion_tokens) / count if count else math.nan


def usage(records: Iterable[Record]) -> Usage:
    """The usage of some tries."""
    rows = list(records)
    answered = [r.sample for r in rows if not r.sample.error]
    graded = [r.judgement for r in rows if r.judgement and r.judgement.is_scored]
    costs = [s.cost for s in answered if s.cost is not None]
    cpu_seconds = math.fsum(j.cpu_seconds for j in graded)
    return Usage(
        num_tries=len(rows),
        prompt_tokens=sum(s.prompt_tokens for s in answered),
        completion_tokens=tuple(s.completion_tokens for s in answered),
        latency_seconds=tuple(s.latency_seconds for s in answered),
        first_token_seconds=tuple(
            s.first_token_seconds for s in answered if s.first_token_seconds is not None
        ),
        num_retries=sum(r.sample.num_retries for r in rows),
        cost=math.fsum(costs) if costs else None,
        cpu_milliseconds=1000 * cpu_seconds / len(graded) if graded else 0.0,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the others do not pass, by nearest rank; nan for none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
