"""Compiled programs, kept by content: the same source and compiler are compiled once on a machine."""

import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.program import Program

_INDEX = "index.json"
_SWEEP_EVERY = 64
_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What a program is run from. files: name → content. executables: names of those to execute."""

    files: Mapping[str, bytes]
    executables: tuple[str, ...]


class CompiledCache:
    """A folder of compiled programs. Safe for many threads and processes."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._being_made: dict[str, threading.Lock] = {}
        self._num_kept = 0

    @contextmanager
    def making(self, key: str) -> Iterator[None]:
        """To be held while compiling, so that a program is seldom compiled twice at once."""
        with self._lock:
            turn = self._being_made.setdefault(key, threading.Lock())
        with turn:
            try:
                yield
            finally:
                # Also of what does not compile: there are as many keys as programs.
                with self._lock:
                    self._being_made.pop(key, None)

    def find(self, key: str) -> Compiled | None:
        """What is kept for a key; None when there is nothing, or nothing whole."""
        folder = self._folder / key
        try:
            index = json.loads((folder / _INDEX).read_text())
            files = {name: (folder / str(number)).read_bytes() for number, name in enumerate(index)}
            os.utime(folder)
        except (OSError, ValueError):
            return None
        return Compiled(
            files=files, executables=tuple(name for name, is_x in index.items() if is_x)
        )

    def keep(self, key: str, compiled: Compiled) -> None:
        """Keep it for the next time. A disk that is full is no reason to fail a run."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = Path(tempfile.mkdtemp(dir=self._folder, prefix="new-"))
            for number, content in enumerate(compiled.files.values()):
                (made / str(number)).write_bytes(content)
            index = {name: name in compiled.executables for name in compiled.files}
            (made / _INDEX).write_text(json.dumps(index))
            try:
                made.rename(self._folder / key)
            except OSError:  # another process was faster
                shutil.rmtree(made, ignore_errors=True)
        except OSError:
            return
        with self._lock:
            self._num_kept += 1
            is_due = self._num_kept % _SWEEP_EVERY == 1
        if is_due:
            self._sweep()

    def _sweep(self) -> None:
        """Remove the longest unused until the rest fits."""
        found = []
        for folder in self._folder.iterdir():
            try:
                size = sum(file.stat().st_size for file in folder.iterdir())
                found.append((folder.stat().st_mtime, size, folder))
            except OSError:  # another process sweeps too
                continue
        room = self._most_bytes
        for _, size, folder in sorted(found, reverse=True):
            room -= size
            if room < 0:
                shutil.rmtree(folder, ignore_errors=True)


def compiled_key(program: Program, command: Sequence[str], environment: Mapping[str, str]) -> str:
    """One name for a program's files and the compiler that takes them, its time stamp included."""
    digest = hashlib.sha256()
    compiler = os.stat(command[0])  # noqa: PTH116  # of what a link leads to
    parts = [
        _SCHEMA,
        list(command),
        sorted(environment.items()),
        compiler.st_mtime_ns,
        compiler.st_size,
    ]
    digest.update(json.dumps(parts).encode())
    for name, content in program.files.items():
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
