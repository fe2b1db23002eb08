"""How far a loop is, read out of its journal: the only state that it keeps between two starts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from deploy.loop.journal import Row


@dataclass(kw_only=True)
class Round:
    """One candidate's way. The rows of its stages, None where a stage is not done."""

    number: int
    trained: Row | None = None
    taken: Row | None = None
    decided: Row | None = None
    promoted: Row | None = None
    closed: Row | None = None

    @property
    def version(self) -> str | None:
        """The candidate's name, once the catalog has it."""
        return None if self.taken is None else str(self.taken["version"])

    @property
    def stage(self) -> str:
        """What is done next."""
        if self.closed:
            return "closed"
        for name in ("trained", "taken", "decided"):
            if getattr(self, name) is None:
                return {"trained": "training", "taken": "taking in", "decided": "gate"}[name]
        return "promotion"


@dataclass(kw_only=True)
class Progress:
    """loop: its name, "" before it has begun. evaluations: by folder's name. traffic: a row a start that ended."""

    loop: str = ""
    rounds: dict[int, Round] = field(default_factory=dict)
    evaluations: dict[str, Row] = field(default_factory=dict)
    num_starts: int = 0
    compared: Row | None = None
    traffic: list[Row] = field(default_factory=list)
    ended: str = ""

    @property
    def current(self) -> Round:
        """The round under way, or a new one."""
        number = max(self.rounds, default=0)
        if number and self.rounds[number].closed is None:
            return self.rounds[number]
        return Round(number=number + 1)

    @property
    def num_closed(self) -> int:
        return sum(one.closed is not None for one in self.rounds.values())

    def taken(self) -> list[str]:
        """Every version that the catalog was given, oldest first."""
        return [one.version for one in self.rounds.values() if one.version]

    def take(self, row: Row) -> None:
        """One more row."""
        kind = row["type"]
        if kind == "begin":
            self.loop = str(row["loop"])
        elif kind == "start":
            self.num_starts += 1
            self.ended = ""
        elif kind == "round":
            self.rounds[int(row["round"])] = Round(number=int(row["round"]))
        elif kind == "evaluated":
            self.evaluations[str(row["version"])] = row
        elif kind == "overtaken":
            self.rounds[int(row["round"])].decided = None
        elif kind in ("trained", "taken", "decided", "promoted", "closed"):
            setattr(self.rounds[int(row["round"])], kind, row)
        elif kind == "traffic":
            self.traffic.append(row)
        elif kind == "compared":
            self.compared = row
        elif kind == "end":
            self.ended = str(row["reason"])


def progress_of(rows: Iterable[Row]) -> Progress:
    """The rows folded."""
    progress = Progress()
    for row in rows:
        progress.take(row)
    return progress
