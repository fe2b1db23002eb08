"""The end of a loop: version 0 against what is live now, on answers that no gate has seen, and what users met."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from deploy.loop.progress import Progress
from deploy.loop.settings import GoalTable
from evaluator.results import Results
from trainer.gain import Gain, gain


def evaluation_row(results: Results, suite: str) -> dict[str, Any]:
    """An evaluation as `trainer.gain` reads it."""
    found = results.suites[suite]
    return {
        "temperature": found.facts.get("sampling", {}).get("temperature"),
        "by_problem": {problem.id: list(problem.count()) for problem in found.problems},
        "kinds": {problem.id: problem.asked.group for problem in found.problems if problem.asked},
    }


def gain_of(before: Results, after: Results, suite: str) -> Gain:
    """after - before, its interval over kinds."""
    return gain(evaluation_row(before, suite), evaluation_row(after, suite))


def gain_fields(found: Gain) -> dict[str, Any]:
    """For the journal."""
    return {
        "before": found.before,
        "after": found.after,
        "difference": found.difference,
        "low": found.interval.low,
        "high": found.interval.high,
        "confidence": found.interval.confidence,
        "num_problems": found.num_problems,
        "num_kinds": found.num_kinds,
        "num_better": found.num_better,
        "num_worse": found.num_worse,
        "families": [
            {
                "name": one.name, "num_problems": one.num_problems, "before": one.before,
                "after": one.after, "low": one.interval.low, "high": one.interval.high,
            }
            for one in found.families
        ],
    }  # fmt: skip


def gain_table(row: Mapping[str, Any]) -> Table:
    """The journal's row `compared`, for people."""
    found = row["gain"]
    table = Table(
        title=f"Held-out problems: version {row['before']} and version {row['after']},"
        f" {found['confidence']:.0%} intervals over {found['num_kinds']} kinds"
    )
    for name in ("", "problems", "before", "after", "difference in points"):
        table.add_column(name, justify="left" if not name else "right")
    whole = found | {"name": "all"}
    for one in (whole, *found["families"]):
        points = 100 * (one["after"] - one["before"])
        table.add_row(
            one["name"],
            str(one["num_problems"]),
            f"{one['before']:.1%}",
            f"{one['after']:.1%}",
            f"{points:+.1f} [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]",
        )
    return table


def swaps_table(progress: Progress) -> Table:
    """The promotions with their swaps' reports."""
    table = Table(title="Promotions")
    for name in (
        "round",
        "version",
        "in place of",
        "gate",
        "way",
        "pause in ms",
        "MiB",
        "under way",
    ):
        table.add_column(name)
    for one in progress.rounds.values():
        if one.promoted is None or one.decided is None:
            continue
        report = one.promoted["report"]
        # With a canary, it was the canary's swap that loaded the weights.
        loaded = report.get("canary", report)
        pause, size = loaded.get("pause_seconds"), loaded.get("num_bytes")
        table.add_row(
            str(one.number),
            str(one.version),
            str(one.promoted["replaces"]),
            one.decided["verdict"]["answer"],
            str(loaded.get("plan", {}).get("way", "-")),
            "-" if pause is None else f"{1000 * pause:.0f}",
            "-" if size is None else f"{size / 2**20:.0f}",
            _ends(report),
        )
    return table


def _ends(report: Mapping[str, Any]) -> str:
    """How the requests ended that were under way at the swap."""
    ended = report.get("ended")
    if ended is None:
        return str(report.get("num_under_way", "-"))
    return ", ".join(f"{count} {name}" for name, count in ended.items()) or "none"


def shortfalls(goal: GoalTable, progress: Progress) -> list[str]:
    """What the goal asks and the loop has not; empty when it has all."""
    found = []
    passed = [
        one
        for one in progress.rounds.values()
        if one.promoted
        and one.promoted["outcome"] != "rejected"
        and one.decided
        and one.decided["verdict"]["answer"] == "passed"
    ]
    if len(passed) < goal.least_promotions:
        found.append(
            f"{len(passed)} versions went live through the gate, the goal is {goal.least_promotions}"
        )
    if goal.least_gain is not None:
        low = progress.compared["gain"]["low"] if progress.compared else None
        if low is None or low < goal.least_gain:
            shown = "unknown" if low is None else f"{100 * low:+.1f} points"
            found.append(
                f"the gain's lower bound is {shown}, the goal is {100 * goal.least_gain:+.1f} points"
            )
    most = goal.most_failed_requests
    num_requests = sum(row["requests"] for row in progress.traffic)
    num_failed = sum(row["failed"] for row in progress.traffic)
    if most is not None and (num_failed > most or not num_requests):
        told = "; ".join(row["last_failure"] for row in progress.traffic if row["last_failure"])
        found.append(
            f"{num_failed} of {num_requests} users' requests failed, the goal is at most {most}"
            f" ({told or 'nobody asked'})"
        )
    return found
