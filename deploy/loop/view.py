"""The loop on a terminal: one table that is drawn anew each second; elsewhere, a line for each event."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.loop.journal import Row

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN_BARS = 40
_QUIET = frozenset({"start", "begin", "child"})


class View:
    """Used as a context: from its beginning to its end the table is there."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "View":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, snapshot: Mapping[str, Any]) -> None:
        """Draw."""
        if self._live:
            self._live.update(drawn(snapshot), refresh=True)

    def event(self, row: Row) -> None:
        """A row of the journal, told as one line."""
        if self._live or (row["type"] in _QUIET and row.get("event") != "restarting"):
            return
        self._console.print(f"{row['at'][11:19]} {sentence(row)}", highlight=False)


def sentence(row: Row) -> str:
    """A row in words."""
    kind = str(row["type"])
    number = f"round {row['round']}: " if "round" in row else ""
    if kind == "decided":
        return f"{number}{row['version']} against {row['live']}: {_verdict(row['verdict'])}"
    told = {
        "child": "the {name} is started again in {seconds} s",
        "round": "begins",
        "trained": "trained to iteration {iteration}",
        "taken": "{version} is in the catalog",
        "evaluated": "{version} solves {score:.1%} of the held-out problems ({seconds:.0f} s)",
        "overtaken": "{live} is live now, so it is judged anew",
        "promoted": "{version} is {outcome} in place of {replaces}",
        "closed": "{outcome}",
        "compared": "{before} against {after} on fresh answers",
        "traffic": "users asked {requests} times, {failed} failed",
        "end": "ended: {reason}",
    }
    return number + told.get(kind, "{type}").format(**row)


def drawn(snapshot: Mapping[str, Any]) -> Group:
    """The whole picture."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    server, trainer, gate = snapshot["server"], snapshot["trainer"], snapshot["gate"]
    table.add_row("now", snapshot["now"] or "-")
    table.add_row("server", f"{server['url'] or 'starting'}{_restarts(server)}")
    table.add_row(
        "trainer",
        f"iteration {trainer['iteration']} of {trainer['last_iteration']}"
        f"  {_bars(trainer['solve_rates'])}{_restarts(trainer)}",
    )
    told = "-"
    if gate.get("samples"):
        score = "" if gate["score"] is None else f", {gate['score']:.1%} right"
        told = f"{gate['evaluation']}: {gate['done']} of {gate['samples']}{score}{_restarts(gate)}"
    table.add_row("gate", told)
    users = snapshot["users"]
    latency = users["first_token_p50_seconds"]
    first = "" if latency is None else f", first token after {latency:.2f} s"
    table.add_row("users", f"{users['num_requests']} asked, {users['num_failed']} failed{first}")
    rounds = Table("round", "version", "stage", "score", "live", "difference", box=None)
    for one in snapshot["rounds"]:
        rounds.add_row(*_round(one))
    versions = Text("  ".join(f"{one['version']} {one['state']}" for one in snapshot["versions"]))
    return Group(Text(f"loop {snapshot['loop']}", style="bold"), table, rounds, versions)


def _round(one: Mapping[str, Any]) -> tuple[str, ...]:
    shown = [str(one["round"]), one["version"] or "-", one["outcome"] or one["stage"]]
    for seen in one["evidence"][:1]:
        low, high = 100 * seen["difference_low"], 100 * seen["difference_high"]
        shown += [f"{seen['score']:.1%}", f"{seen['live_score']:.1%}"]
        shown += [f"{100 * seen['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"]
    return tuple(shown)


def _verdict(verdict: Mapping[str, Any]) -> str:
    checks = "; ".join(f"{one['kind']} {one['answer']}: {one['text']}" for one in verdict["checks"])
    return f"{verdict['answer']} ({checks})"


def _restarts(part: Mapping[str, Any]) -> str:
    number = part["num_restarts"]
    return f"  (started again {number} times)" if number else ""


def _bars(rates: list[float]) -> str:
    shown = rates[-_SHOWN_BARS:]
    bars = "".join(_BARS[min(int(rate * len(_BARS)), len(_BARS) - 1)] for rate in shown)
    return f"{bars} {shown[-1]:.0%}" if shown else ""
