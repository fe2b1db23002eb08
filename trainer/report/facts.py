"""What a run is and what it came to, as numbers: the head of every form of the report."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

from evaluator.interval import Interval
from trainer.curves import Row, RunLog, mean, number
from trainer.errors import EvaluationsDiffer
from trainer.gain import Gain, gain, solve_interval


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A held-out evaluation. tokens: mean of an answer."""

    iteration: int
    version: int | None
    solve_rate: float
    interval: Interval
    num_problems: int
    num_samples: int
    temperature: float
    tokens: float
    truncated_share: float
    num_uncounted: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """problems: how many, in words. state: how it stands in words. seconds: of all iterations, with what lies between them.

    learned: first to last evaluation; why_none: where there is none, why.
    """

    run: str
    recipe: str
    model: str
    dataset: str
    problems: str
    sampler: Mapping[str, str]
    packages: Mapping[str, str]
    started: str
    state: str
    num_resumes: int
    num_iterations: int
    num_samples: int
    num_tokens: int
    seconds: float
    seconds_an_iteration: float
    probe_kl: float
    evaluations: tuple[Scored, ...]
    learned: Gain | None
    why_none: str


def facts_of(log: RunLog) -> Facts:
    """Whatever the log tells; what it does not is "" or nan."""
    session = log.sessions[-1]
    times = [number(row, "measured", "iteration_seconds") for row in log.iterations]
    learned, why_none = _learned(log)
    return Facts(
        run=log.name,
        recipe=_text(session.get("recipe_digest")),
        model=_text(session.get("model")),
        dataset=_data(session),
        problems=_problems(session),
        sampler=_texts(session.get("sampler")),
        packages=_texts(session.get("packages")),
        started=_text(log.sessions[0].get("started_at")),
        state=_state(log),
        num_resumes=sum(isinstance(one.get("resumed_from"), int) for one in log.sessions),
        num_iterations=len(log.iterations),
        num_samples=_sum(log, "samples"),
        num_tokens=_sum(log, "tokens_total"),
        seconds=sum(value for value in times if not math.isnan(value)),
        seconds_an_iteration=mean(times),
        probe_kl=mean(number(row, "kl") for row in log.probes[-1:]),
        evaluations=tuple(_scored(row) for row in log.evaluations),
        learned=learned,
        why_none=why_none,
    )


def started_at(session: Row) -> float:
    """Seconds since 1970 at which a session began; nan where it does not say."""
    try:
        return dt.datetime.fromisoformat(str(session.get("started_at"))).timestamp()
    except ValueError:
        return math.nan


def _learned(log: RunLog) -> tuple[Gain | None, str]:
    pair = log.first_and_last
    if pair is None:
        found = len(log.evaluations)
        return None, (
            f"the log has {found} held-out evaluation{'' if found == 1 else 's'}, and a gain takes two:"
            " wait for the next, or set evaluation.every"
        )
    try:
        return gain(*pair), ""
    except EvaluationsDiffer as error:
        return None, str(error)


def _scored(row: Row) -> Scored:
    value, interval = solve_interval(row)
    counted = [counts for counts in (row.get("by_problem") or {}).values() if counts[1]]
    uncounted = number(row, "samples_uncounted")
    return Scored(
        iteration=row["iteration"],
        version=row.get("version"),
        solve_rate=value,
        interval=interval,
        num_problems=len(counted),
        num_samples=int(row.get("samples") or 0),
        temperature=number(row, "temperature"),
        tokens=number(row, "tokens_mean"),
        truncated_share=number(row, "truncated_share"),
        num_uncounted=0 if math.isnan(uncounted) else int(uncounted),
    )


def _state(log: RunLog) -> str:
    if log.end is None:
        last = log.iterations[-1]["iteration"] if log.iterations else 0
        return f"not ended: the last row is of iteration {last}; it still runs, or was stopped"
    reason = _text(log.end.get("reason")) or "ended"
    told = {"done": "done", "minutes": "its time was over", "interrupted": "interrupted"}
    return told.get(reason, reason)


def _sum(log: RunLog, name: str) -> int:
    values = [number(row, name) for row in log.iterations]
    return int(sum(value for value in values if not math.isnan(value)))


def _data(session: Row) -> str:
    """The data set's name, and what of it is asked how; a control says that it is one."""
    asked = [str(one) for one in session.get("difficulties") or ()]
    asked += ["easy first"] * (session.get("curriculum") is True)
    asked += ["filtered as it goes"] * (session.get("online_filter") is True)
    name = _text(session.get("dataset")) + (f" ({', '.join(asked)})" if asked else "")
    is_control = session.get("control") == "shuffled_rewards"
    return f"{name}; a control: rewards dealt out at random" if is_control else name


def _problems(session: Row) -> str:
    """How many are asked, held out, and left out for their length."""
    told = [
        f"{session[key]:,} {name}"
        for key, name in (
            ("problems", "to train on"),
            ("heldout", "held out"),
            ("problems_too_long", "too long"),
        )
        if isinstance(session.get(key), int)
    ]
    return ", ".join(told)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _texts(value: object) -> dict[str, str]:
    """A table of the session as texts."""
    return {str(k): _text(v) for k, v in value.items()} if isinstance(value, Mapping) else {}
