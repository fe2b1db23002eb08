"""What `codeloop versions` prints: tables for people, plain values for `--json`."""

from collections.abc import Collection as Names
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Table

from server.version_collection import Collection
from server.version_record import Score, Transition, Version
from server.version_states import State


def version_fields(version: Version) -> dict[str, Any]:
    """A version as JSON has it."""
    return {
        **asdict(version),
        "name": version.name,
        "folder": str(version.folder),
        "created_at": version.created_at.isoformat(),
    }


def transition_fields(row: Transition) -> dict[str, Any]:
    """An audited row as JSON has it."""
    return {**asdict(row), "at": row.at.isoformat()}


def collection_fields(done: Collection) -> dict[str, Any]:
    """A collection as JSON has it."""
    return asdict(done)


def versions_table(versions: Sequence[Version], previous: Names[str]) -> Table:
    """One row a version. previous: names of those that a roll-back restores."""
    table = Table()
    table.add_column("name", no_wrap=True, overflow="fold")  # for copying, in any width
    for header in ("state", "kind", "parent", "step", "scores", "size", "published"):
        table.add_column(header)
    for each in versions:
        notes = [str(each.state)]
        notes += ["previous"] if each.name in previous else []
        notes += ["pinned"] if each.is_pinned else []
        table.add_row(
            each.name,
            ", ".join(notes),
            each.kind,
            each.parent or "",
            "" if each.step is None else str(each.step),
            _scores(each.scores),
            _size(each.num_bytes),
            f"{each.created_at:%Y-%m-%d %H:%M}",
            style={State.LIVE: "green", State.REJECTED: "red", State.REMOVED: "dim"}.get(
                each.state
            ),
        )
    return table


def version_table(version: Version, lineage: Sequence[Version], *, is_previous: bool) -> Table:
    """All of one version."""
    notes = [str(version.state)]
    notes += ["what a roll-back restores"] if is_previous else []
    notes += ["pinned"] if version.is_pinned else []
    summary = dict(version.summary)
    probes = summary.pop("probes", None) or ()
    fields = {
        "name": version.name,
        "state": ", ".join(notes),
        "kind": version.kind,
        "parents": " ← ".join(each.version for each in lineage),
        "run": version.run or "",
        "step": "" if version.step is None else str(version.step),
        "base model": version.base_model,
        "folder": str(version.folder),
        "size": _size(version.num_bytes),
        "weights digest": version.weights_digest,
        "tokenizer digest": version.tokenizer_digest or "",
        "recipe": version.recipe_digest or "",
        "data sets": _lines(version.dataset_digests),
        "trainer's summary": _lines(summary),
        "probes": f"{len(probes)} answers with the trainer's log-probs" if probes else "",
        "scores": _scores(version.scores),
        "published": f"{version.created_at:%Y-%m-%d %H:%M:%S} UTC",
    }
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")  # a digest is for copying
    for name, value in fields.items():
        table.add_row(name, escape(value))
    return table


def history_table(rows: Sequence[Transition]) -> Table:
    """One row a transition, oldest first."""
    table = Table("#", "version", "from", "to", "who", "why", "when (UTC)")
    for row in rows:
        before = str(row.from_state) if row.from_state else ""
        table.add_row(
            str(row.sequence),
            row.version,
            before,
            str(row.to_state) if before != row.to_state else "(stays)",
            escape(row.actor),
            escape(row.reason),
            f"{row.at:%Y-%m-%d %H:%M:%S}",
        )
    return table


def _scores(scores: Mapping[str, Score]) -> str:
    return "\n".join(
        f"{escape(name)} {score.value:.3g} ({score.low:.3g} to {score.high:.3g})"
        for name, score in scores.items()
    )


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name} {value}" for name, value in values.items())


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.2f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:.0f} MiB"
