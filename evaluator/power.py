"""Planning: the smallest difference that a comparison can show, and what it takes to show a smaller one.

The model: a problem's paired difference varies by `between` over problems and by 2·within/n from the
dice of n samples a side, so its standard error is sqrt((between + 2·within/n) / N). With one sample a
side, between + 2·within is the share of problems on which two runs disagree.
"""

import math
from dataclasses import dataclass

from scipy import special

from evaluator.errors import UsageRefused


@dataclass(frozen=True, kw_only=True)
class Design:
    """A paired comparison to come.

    num_problems, num_samples: N and n. between, within: as above, both of a 0/1 score.
    confidence: of the two-sided test. power: chance to see a difference that is there.
    """

    num_problems: int
    num_samples: int = 1
    between: float = 0.05
    within: float = 0.025
    confidence: float = 0.95
    power: float = 0.8

    def __post_init__(self) -> None:
        if self.num_problems < 1 or self.num_samples < 1:
            raise UsageRefused(
                f"{self.num_problems} problems with {self.num_samples} samples compare nothing:"
                " give at least 1 of each"
            )
        if not (0.5 <= self.confidence < 1 and 0.5 <= self.power < 1):
            raise UsageRefused(
                f"confidence {self.confidence} and power {self.power}: both are from 0.5 to below 1"
            )

    @property
    def standard_error(self) -> float:
        """Of the mean difference, for problems like these."""
        return math.sqrt((self.between + 2 * self.within / self.num_samples) / self.num_problems)

    @property
    def fixed_set_error(self) -> float:
        """Of the mean difference, for exactly these problems."""
        return math.sqrt(2 * self.within / self.num_samples / self.num_problems)

    @property
    def factor(self) -> float:
        """Standard errors that a difference must measure: 2.80 at 95 % and 80 %."""
        return float(special.ndtri(0.5 + self.confidence / 2) + special.ndtri(self.power))

    @property
    def smallest_difference(self) -> float:
        """What is told apart with the wanted power, for problems like these."""
        return self.factor * self.standard_error

    @property
    def smallest_fixed_set_difference(self) -> float:
        """The same for exactly these problems."""
        return self.factor * self.fixed_set_error

    def problems_for(self, difference: float) -> int:
        """How many problems, with as many samples each, tell so small a difference apart."""
        _refuse(difference)
        variance = self.between + 2 * self.within / self.num_samples
        return math.ceil(variance * (self.factor / difference) ** 2 - 1e-9)

    def samples_for(self, difference: float) -> int | None:
        """How many samples of each of these problems do, for problems like these.

        None where no number does: more samples do not shrink what differs between problems.
        """
        _refuse(difference)
        rest = (difference / self.factor) ** 2 * self.num_problems - self.between
        return None if rest <= 0 else max(1, math.ceil(2 * self.within / rest - 1e-9))

    def fixed_set_samples_for(self, difference: float) -> int:
        """How many samples of each of these problems do, for exactly these problems."""
        _refuse(difference)
        needed = 2 * self.within / self.num_problems * (self.factor / difference) ** 2
        return max(1, math.ceil(needed - 1e-9))


def within_variance(counts: list[tuple[int, int]]) -> float:
    """Mean of p(1-p) over problems, unbiased, from (right, n) a problem; nan if all have n = 1."""
    spreads = [(c / n) * (1 - c / n) * n / (n - 1) for c, n in counts if n > 1]
    return math.fsum(spreads) / len(spreads) if spreads else math.nan


def _refuse(difference: float) -> None:
    if not 0 < difference <= 1:
        raise UsageRefused(
            f"a difference of {difference} cannot be told apart: give one above 0 and up to 1,"
            " such as 0.01 for one point"
        )
