"""Two runs on the same held-out problems: which one ends better, and by how much."""

from dataclasses import dataclass

from trainer.curves import RunLog
from trainer.errors import EvaluationsDiffer
from trainer.gain import Gain, gain


@dataclass(frozen=True, kw_only=True)
class Rivalry:
    """The last evaluation of `run` against the last of `other`; why_none: where they have no pairs.

    iterations: after which each was evaluated, other first.
    """

    run: str
    other: str
    found: Gain | None
    iterations: tuple[int, int] = (0, 0)
    why_none: str = ""


def names_of(log: RunLog, other: RunLog) -> tuple[str, str]:
    """What to call them beside each other: with their folders where both have one name."""
    if log.name != other.name:
        return log.name, other.name
    return f"{log.name} ({log.folder.name})", f"{other.name} ({other.folder.name})"


def against(other: RunLog, log: RunLog) -> Rivalry:
    """Compare `log` with `other`; a difference above zero is in favour of `log`."""
    name, rival = names_of(log, other)
    if not log.evaluations or not other.evaluations:
        why = (
            f"{rival if log.evaluations else name} has no held-out evaluation: set evaluation.every"
        )
        return Rivalry(run=name, other=rival, found=None, why_none=why)
    rows = other.evaluations[-1], log.evaluations[-1]
    try:
        found = gain(*rows)
    except EvaluationsDiffer as error:
        return Rivalry(run=name, other=rival, found=None, why_none=str(error))
    iterations = (rows[0]["iteration"], rows[1]["iteration"])
    return Rivalry(run=name, other=rival, found=found, iterations=iterations)
