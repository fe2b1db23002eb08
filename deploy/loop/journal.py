"""`events.jsonl`: the truth about a loop, one JSON object a line, on the disk before it is acted upon.

Every row has `at` (ISO 8601) and `type`. Rows by type:

begin      loop (a name given once, part of its versions' names), model, sampler
start      a process of the loop took over; pid
child      name, event ("started", "ended", "restarting"), exit_code, seconds (until it is started again)
round      round (from 1): it begins
trained    round, iteration, number (the trainer's), folder, or number null: nothing new was learned
taken      round, version, folder: the catalog has it
evaluated  round, version, folder (of the evaluation), score, seconds
decided    round, version, verdict (the gate's answer with its evidence)
overtaken  round, live (another version than the one it was compared with): it is judged anew
promoted   round, version, outcome ("live", "rejected" as a canary, "overtaken" by another after it went
           live), replaces, report (of the swap)
closed     round, outcome ("promoted", "failed", "inconclusive", "rejected", "overtaken", "nothing new")
compared   before, after (versions), gain {...}
traffic    requests, failed, versions {version: answers}, seconds
end        reason
"""

import datetime as dt
import fcntl
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from deploy.errors import LoopFailed, LoopRefused

NAME, LOCK = "events.jsonl", "lock"
PROGRESS = "progress.json"
"""In an evaluation's folder: how far it is, for those who watch."""

Row = Mapping[str, Any]


class Journal:
    """The file and its lock, for one process at a time.

    listen: called with each row after it is written. Raises LoopRefused when another holds the lock.
    """

    def __init__(self, folder: Path, listen: Callable[[Row], None] = lambda _: None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / NAME
        self._listen = listen
        self._lock = (folder / LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise LoopRefused(
                f"{folder} is being run by another process: a loop has one; stop it, or name another"
                " folder with --out"
            ) from error
        self.rows: list[Row] = _whole_rows(self._path)
        self._file = self._path.open("ab")

    def write(self, kind: str, **fields: Any) -> None:
        """Have a row on the disk. Raises LoopFailed."""
        row = {"at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"), "type": kind}
        row |= fields
        try:
            self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise LoopFailed(
                f"{self._path} cannot be written ({error.strerror}): make room, then start the loop"
                " again; it goes on from there"
            ) from error
        self.rows.append(row)
        self._listen(row)

    def close(self) -> None:
        self._file.close()
        self._lock.close()


def read_rows(folder: Path) -> list[Row]:
    """The rows of a loop, which may be running; a last line that is not whole is left out."""
    path = folder / NAME
    if not path.exists():
        return []
    with path.open("rb") as file:
        return [orjson.loads(line) for line in file if line.endswith(b"\n")]


def _whole_rows(path: Path) -> list[Row]:
    """The rows; what a killed process left of a last one is cut off."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return [orjson.loads(line) for line in whole.splitlines()]
