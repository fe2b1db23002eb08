"""A run for a terminal: at most 100 columns, iterations in blocks whose means can be compared."""

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator import shown
from evaluator.report_table import plain_table
from trainer.alarms import alarms
from trainer.curves import WINDOW, Break, Row, RunLog, mean
from trainer.metrics import BY_NAME
from trainer.prompt_mix import breaks_of
from trainer.report.facts import Facts, facts_of
from trainer.report.rivals import against

_MOST_BLOCKS = 12
_COLUMNS = (
    ("reward", "reward_mean", lambda v: f"{v:.3f}"),
    ("solved %", "solve_rate", shown.percent),
    ("live %", "live_share", lambda v: shown.percent(v, 0)),
    ("tokens", "answer_tokens", shown.count),
    ("cut %", "truncated_share", shown.percent),
    ("entropy", "entropy", lambda v: f"{v:.3f}"),
    ("KL", "mismatch_kl", lambda v: f"{v:.1e}"),
    ("seconds", "iteration_seconds", lambda v: f"{v:.1f}"),
)


def print_run(log: RunLog, other: RunLog | None, out: Console) -> None:
    """Print the facts, blocks of iterations, evaluations with the gain, and alarms."""
    facts = facts_of(log)
    data = f" on {facts.dataset}" if facts.dataset else ""
    out.print(Text(f"{facts.run}: {facts.model}{data}, {facts.state}", "bold"))
    out.print(
        Text(f"{facts.num_iterations} iterations, {shown.count(facts.num_samples)} answers,"
             f" {shown.count(facts.num_tokens)} tokens, {shown.seconds(facts.seconds)}")
    )  # fmt: skip
    if log.iterations:
        out.print(_blocks(log, out))
    if facts.evaluations:
        out.print(_evaluations(facts, out))
    out.print(Text(gain_line(facts), "bold"))
    if other is not None:
        out.print(Text(_rivalry(log, other)))
    for one in alarms(log):
        style = "red" if one.is_grave else "yellow"
        out.print(Text(f"{one.name}: {one.text} {one.remedy}", style))


def gain_line(facts: Facts) -> str:
    """What was learned, in a sentence."""
    found = facts.learned
    if found is None:
        return f"no gain can be told: {facts.why_none}"
    return (
        f"held-out: {shown.percent(found.before)} -> {shown.percent(found.after)} %, gain"
        f" {shown.points(found.difference)} points ({shown.points_span(found.interval)}), on"
        f" {found.num_problems} problems of {found.num_kinds} kinds; {found.num_better} better,"
        f" {found.num_worse} worse"
    )


def _blocks(log: RunLog, out: Console) -> Table:
    found = plain_table(out)
    found.add_column("iterations")
    for name, _, _ in _COLUMNS:
        found.add_column(name, justify="right")
    breaks = [one for one in breaks_of(log) if one.is_new_mix]
    for block in _split(log.iterations, breaks):
        first, last = block[0]["iteration"], block[-1]["iteration"]
        reason = next((one.text for one in breaks if one.iteration == first), "")
        if reason:
            found.add_section()
        cells = []
        for _, metric, tell in _COLUMNS:
            value = mean(BY_NAME[metric].read(row) for row in block)
            cells.append(shown.UNKNOWN if math.isnan(value) else tell(value))
        name = f"{first}" if first == last else f"{first}-{last}"
        found.add_row(f"{name} *" if reason else name, *cells)
    if breaks:
        found.caption = "* other prompts from here on: a change there is not learning"
        found.caption_justify = "left"
    return found


def _split(rows: Sequence[Row], breaks: Sequence[Break]) -> Iterator[Sequence[Row]]:
    """Blocks of WINDOW iterations or a multiple; none reaches over a break."""
    size = WINDOW * max(1, math.ceil(len(rows) / WINDOW / _MOST_BLOCKS))
    edges = {one.iteration for one in breaks}
    block: list[Row] = []
    for row in rows:
        if block and (len(block) == size or row["iteration"] in edges):
            yield block
            block = []
        block.append(row)
    yield block


def _evaluations(facts: Facts, out: Console) -> Table:
    found = plain_table(out)
    found.add_column("held-out after")
    for name in ("solved %", "95 % interval", "n x k", "tokens", "cut %"):
        found.add_column(name, justify="right")
    for one in facts.evaluations:
        found.add_row(
            str(one.iteration),
            Text(shown.percent(one.solve_rate), "bold"),
            shown.span(one.interval),
            f"{one.num_problems} x {one.num_samples}",
            shown.count(one.tokens),
            shown.percent(one.truncated_share),
        )
    return found


def _rivalry(log: RunLog, other: RunLog) -> str:
    rival = against(other, log)
    if rival.found is None:
        return f"against {rival.other}: no difference can be told: {rival.why_none}"
    return (
        f"against {rival.other}: {shown.points(rival.found.difference)} points"
        f" ({shown.points_span(rival.found.interval)}), after {rival.iterations[1]} and"
        f" {rival.iterations[0]} iterations"
    )
