"""Where a run's prompts change: stages, sources, a second pass over them, another recipe on resume."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from trainer.curves import Break, Row, RunLog, number

_LEAST_CHANGE = 0.15
"""Of the shares' total variation: what moves less hardly moves a mean."""
_LEAST_EVIDENCE = 12.0
"""Of the log-likelihood ratio, in nats: chance of 1e-6 at one place, of some thousand places in a run."""
_LEAST_STRETCH = 3


def breaks_of(log: RunLog) -> tuple[Break, ...]:
    """In order, one an iteration, all reasons in its text."""
    found: dict[int, list[Break]] = {}
    for one in (*_stages(log), *_epochs(log), *_sources(log), *_resumes(log)):
        found.setdefault(one.iteration, []).append(one)
    return tuple(
        Break(
            iteration=iteration,
            text="; ".join(one.text for one in reasons),
            is_new_mix=any(one.is_new_mix for one in reasons),
        )
        for iteration, reasons in sorted(found.items())
    )


def _stages(log: RunLog) -> Iterator[Break]:
    for row in log.stages[1:]:
        facts = [
            f"{row[key]:,} {name}"
            for key, name in (("max_new_tokens", "tokens"), ("prompts", "prompts"))
            if isinstance(row.get(key), int)
        ]
        told = f": {', '.join(facts)}" if facts else ""
        yield Break(iteration=row["iteration"], text=f"stage {row.get('stage')}{told}")


def _epochs(log: RunLog) -> Iterator[Break]:
    """Only the end of the first: from then on problems have been seen, and a filter may choose them."""
    epochs = [(row["iteration"], number(row, "epoch")) for row in log.iterations]
    known = [(iteration, epoch) for iteration, epoch in epochs if not math.isnan(epoch)]
    for iteration, epoch in known:
        if epoch > known[0][1]:
            yield Break(
                iteration=iteration, text="second pass: prompts seen before, and filtered if asked"
            )
            return


def _resumes(log: RunLog) -> Iterator[Break]:
    for before, after in zip(log.sessions, log.sessions[1:], strict=False):
        last = after.get("resumed_from")
        if not isinstance(last, int):
            continue
        keys = ("model", "dataset", "recipe_digest")
        others = [key for key in keys if before.get(key) != after.get(key)]
        told = f" with another {' and '.join(others)}".replace("_digest", "") if others else ""
        yield Break(iteration=last + 1, text=f"resumed{told}", is_new_mix=bool(others))


def _sources(log: RunLog) -> Iterator[Break]:
    counts = [_prompts_by_source(row) for row in log.iterations]
    for place in sorted(_splits(counts, 0, len(counts))):
        row = log.iterations[place]
        yield Break(
            iteration=row["iteration"], text=f"other prompts: {_told(counts[place : place + 10])}"
        )


def _prompts_by_source(row: Row) -> Counter[str]:
    """In prompts: the samples of one prompt have one source, and are one draw of it."""
    samples, prompts = number(row, "samples"), number(row, "prompts")
    group = samples / prompts if samples > 0 and prompts > 0 else 1.0
    sources = row.get("sources") or {}
    return Counter({name: round(counts[0] / group) for name, counts in sources.items()})


def _splits(counts: Sequence[Counter[str]], start: int, end: int) -> list[int]:
    """Places where shares of sources change, found by halving at the likeliest place first."""
    best, evidence = 0, 0.0
    whole = _sum(counts[start:end])
    if len(whole) < 2:
        return []
    left = _sum(counts[start : start + _LEAST_STRETCH - 1])
    for place in range(start + _LEAST_STRETCH, end - _LEAST_STRETCH + 1):
        left.update(counts[place - 1])
        found = _log_likelihood(left) + _log_likelihood(whole - left) - _log_likelihood(whole)
        if found > evidence:
            best, evidence = place, found
    # Each further source adds a share that may differ by chance.
    if evidence < _LEAST_EVIDENCE + 3 * max(0, len(whole) - 2):
        return []
    left, right = _sum(counts[start:best]), _sum(counts[best:end])
    names = left.keys() | right.keys()
    moved = sum(abs(left[n] / left.total() - right[n] / right.total()) for n in names) / 2
    here = [best] if moved >= _LEAST_CHANGE else []
    return _splits(counts, start, best) + here + _splits(counts, best, end)


def _sum(counts: Sequence[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


def _log_likelihood(counts: Counter[str]) -> float:
    total = counts.total()
    return sum(n * math.log(n / total) for n in counts.values() if n)


def _told(counts: Sequence[Counter[str]]) -> str:
    total = _sum(counts)
    most = total.most_common(3)
    return ", ".join(f"{n / total.total():.0%} {name}" for name, n in most)
