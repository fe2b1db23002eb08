"""Chooses the tests of a short function so that no constant, lazy or neighbouring answer passes them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Function = Callable[..., Any]

ERRORS = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
_READABLE_CHARACTERS = 24
"""Arguments of about this length make good examples."""

_MOST_SEPARATING = 6
_MOST_ALIKE = 5
"""Most of the rewarding tests that may expect the same."""

LAZY: tuple[Function, ...] = (
    lambda *given: given[0],
    lambda *given: given[0][::-1],
    lambda *given: sorted(given[0]),
    lambda *given: list(given[0]),
    lambda *given: len(given[0]),
    lambda *given: sum(given[0]),
    lambda *given: given[-1],
    lambda *given: str(given[0]),
)
"""Answers that have little to do with the question."""


@dataclass(frozen=True, kw_only=True)
class Test:
    """One call, and what the reference returns."""

    arguments: tuple[Any, ...]
    expected: Any


@dataclass(frozen=True, kw_only=True)
class Tests:
    """The tests that reward, the first `num_shown` of them fit to be shown; and those that never do."""

    rewarding: tuple[Test, ...]
    holdout: tuple[Test, ...]


def is_failed(function: Function, test: Test) -> bool:
    """Whether a function raises on a test, or returns something else."""
    try:
        return bool(function(*test.arguments) != test.expected)
    except ERRORS:
        return True


def chosen_tests(
    pool: Sequence[Test],
    rivals: Sequence[Function],
    *,
    num_rewarding: int,
    num_holdout: int,
    num_shown: int,
) -> Tests | None:
    """Tests from a pool of different calls; None where it cannot tell right from wrong.

    First those that tell the reference from rivals, then those whose results are rarest so far.
    """
    wanted = [repr(test.expected) for test in pool]
    chosen = _separating(pool, rivals)
    used = Counter(wanted[number] for number in chosen)
    rest = [number for number in range(len(pool)) if number not in chosen]
    _fill(chosen, rest, wanted, used, num_rewarding)
    if len(chosen) < num_rewarding or max(used.values()) > _MOST_ALIKE:
        return None
    holdout: list[int] = []
    _fill(holdout, rest, wanted, Counter(), num_holdout)
    if len(holdout) < num_holdout:
        return None
    first = _shown(chosen, pool, wanted, num_shown)
    chosen = first + [number for number in chosen if number not in first]
    return Tests(
        rewarding=tuple(pool[number] for number in chosen),
        holdout=tuple(pool[number] for number in holdout),
    )


def _separating(pool: Sequence[Test], rivals: Sequence[Function]) -> list[int]:
    """Few tests that every rival fails which differs from the reference somewhere in the pool."""
    failing = [
        {number for number, test in enumerate(pool) if is_failed(rival, test)} for rival in rivals
    ]
    alive = [numbers for numbers in failing if numbers]
    chosen: list[int] = []
    while alive and len(chosen) < _MOST_SEPARATING:
        counts = Counter(number for numbers in alive for number in numbers)
        best = max(counts, key=lambda number: (counts[number], -number))
        chosen.append(best)
        alive = [numbers for numbers in alive if best not in numbers]
    return chosen


def _fill(
    chosen: list[int], rest: list[int], wanted: Sequence[str], used: Counter[str], size: int
) -> None:
    """Move numbers from rest to chosen, each time one whose result was used least."""
    while rest and len(chosen) < size:
        best = min(rest, key=lambda number: (used[wanted[number]], number))
        rest.remove(best)
        chosen.append(best)
        used[wanted[best]] += 1


def _shown(
    chosen: Sequence[int], pool: Sequence[Test], wanted: Sequence[str], size: int
) -> list[int]:
    """Readable tests with different results that say something, as far as there are such."""

    def worth(number: int) -> tuple[bool, bool, int]:
        test = pool[number]
        says_little = not test.expected or test.expected == test.arguments[0]
        is_late = chosen.index(number) >= len(chosen) // 2  # early ones tell more rivals apart
        return says_little, is_late, abs(len(repr(test.arguments)) - _READABLE_CHARACTERS)

    shown: list[int] = []
    for number in sorted(chosen, key=worth):
        is_new = wanted[number] not in {wanted[one] for one in shown}
        if len(shown) < size and is_new:
            shown.append(number)
    return shown
