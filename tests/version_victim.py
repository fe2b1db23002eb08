"""Program: calls of a version catalog in children of its own, two at once or killed on the way.

Reads one JSON object a line: `home`, `calls` (lists of method, arguments, keywords) and `kill_at`:
the child is killed with SIGKILL right before its n-th change of a file or of the database. Answers
with a list: "done", "killed", or the name of the error, for each call. A process of its own, because
a fork copies no thread.
"""

import json
import os
import pathlib
import signal
import sys
from typing import Any

import alembic.command  # noqa: F401  # imported here and not in each child
import numpy as np  # noqa: F401
import sqlalchemy as sa

from server.errors import ServerError
from server.store import Store
from server.version_catalog import VersionCatalog
from server.version_states import State

CHANGES = {"os.rename", "os.mkdir", "os.rmdir"}
"""A file deleted in a folder that is being deleted makes no other case than the folder's own end."""


class Killer:
    """Counts what changes something, and ends the process before the n-th."""

    def __init__(self, kill_at: int) -> None:
        self._left = kill_at

    def arm(self) -> None:
        sys.addaudithook(self._on_audit)
        sa.event.listen(sa.engine.Engine, "before_cursor_execute", self._on_statement)
        sa.event.listen(sa.engine.Engine, "commit", lambda _: self._count())

    def _on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[1], str) and "w" in arguments[1]
        if event in CHANGES or is_write:
            self._count()

    def _on_statement(self, *arguments: Any) -> None:
        if not arguments[2].startswith("SELECT"):
            self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def start(home: pathlib.Path, call: list[Any], kill_at: int | None, gate: int) -> int:
    """A child that waits at the gate, calls, and exits with 0; its error's name goes to a file."""
    child = os.fork()
    if child:
        return child
    status = 3
    try:
        method, arguments, keywords = call
        if method == "advance":
            arguments[2] = State(arguments[2])
        if method in ("publish", "adopt_base"):
            arguments[1] = pathlib.Path(arguments[1])
        store = Store(f"sqlite:///{home / 'codeloop.db'}")
        catalog = VersionCatalog(store, home / "versions")
        catalog.models()
        os.read(gate, 1)
        if kill_at is not None:
            Killer(kill_at).arm()
        try:
            getattr(catalog, method)(*arguments, **keywords)
            status = 0
        except ServerError as error:
            (home / f"error-{os.getpid()}").write_text(type(error).__name__)
            status = 1
    finally:
        os._exit(status)


def outcome(home: pathlib.Path, child: int) -> str:
    """What became of a child."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    path = home / f"error-{child}"
    if code == 1:
        name = path.read_text()
        path.unlink()
        return name
    return {0: "done", -signal.SIGKILL: "killed"}.get(code, f"exit code {code}")


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        home = pathlib.Path(order["home"])
        gate, opener = os.pipe()
        children = [start(home, call, order["kill_at"], gate) for call in order["calls"]]
        os.write(opener, bytes(len(children)))
        answer = [outcome(home, child) for child in children]
        os.close(gate)
        os.close(opener)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
