"""A run as one HTML file that asks nothing of any network: facts, alarms, curves, answers to read."""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluator import shown
from evaluator.page import page
from evaluator.report_html import cut
from trainer.alarms import alarms
from trainer.curves import RunLog
from trainer.prompt_mix import breaks_of
from trainer.report.charts import SMOOTHED
from trainer.report.facts import Facts, facts_of
from trainer.report.panels import held_out, sections
from trainer.report.rivals import against, names_of

MOST_ITERATIONS = 40
"""Iterations whose answers are shown, spread evenly: a page of thousands is read by nobody."""
_MOST_TEXT = 4000


def report_page(log: RunLog, other: RunLog | None = None) -> str:
    """The page. other: a second run, drawn dashed over the first one's curves."""
    facts = facts_of(log)
    return page(
        "training.html",
        package="trainer.report",
        more_style="training.css",
        title=facts.run,
        facts=facts,
        tiles=_tiles(facts),
        details=_details(facts),
        alarms=alarms(log),
        breaks=[one for one in breaks_of(log) if one.is_new_mix],
        smoothed=SMOOTHED,
        held_out=held_out(log, other),
        sections=sections(log, other),
        texts=_texts(log),
        other=None if other is None else names_of(log, other)[1],
        rival=None if other is None else against(other, log),
    )


def _tiles(facts: Facts) -> list[tuple[str, str]]:
    return [
        ("iterations", str(facts.num_iterations)),
        ("answers", shown.count(facts.num_samples)),
        ("tokens", shown.count(facts.num_tokens)),
        ("duration", shown.seconds(facts.seconds)),
        ("an iteration", shown.seconds(facts.seconds_an_iteration)),
        ("state", facts.state),
    ]


def _details(facts: Facts) -> list[tuple[str, str]]:
    told = [
        ("model", facts.model),
        ("data", facts.dataset),
        ("problems", facts.problems),
        ("recipe", facts.recipe),
        ("began", facts.started),
        ("resumed", f"{facts.num_resumes} times" if facts.num_resumes else ""),
        ("sampler", _joined(facts.sampler)),
        ("probe before the first iteration", _probe(facts.probe_kl)),
        ("packages", _joined(facts.packages)),
    ]
    return [(name, text) for name, text in told if text]


def _probe(kl: float) -> str:
    return f"KL {kl:.2g} a token between sampler and learner" if kl == kl else ""


def _joined(texts: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in texts.items())


def _texts(log: RunLog) -> list[dict[str, Any]]:
    """First, last, and evenly between."""
    rows: Sequence[Any] = [row for row in log.samples if row.get("texts")]
    if len(rows) > MOST_ITERATIONS:
        step = (len(rows) - 1) / (MOST_ITERATIONS - 1)
        rows = [rows[round(place * step)] for place in range(MOST_ITERATIONS)]
    return [
        {
            "iteration": row["iteration"],
            "answers": [
                {
                    "problem": one.get("problem", ""),
                    "reward": _reward(one.get("reward")),
                    "reason": one.get("reason", ""),
                    "is_cut": bool(one.get("is_cut")),
                    "text": cut(str(one.get("text", "")), _MOST_TEXT),
                }
                for one in row["texts"]
            ],
        }
        for row in rows
    ]


def _reward(score: float | None) -> str:
    return "no verdict" if score is None else f"{score:g}"
