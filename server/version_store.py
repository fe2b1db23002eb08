"""Folders of published versions below one root: ROOT/MODEL/VERSION, each whole or not there.

A folder comes by one rename and goes by one. What is being written or deleted has a hidden name,
and a lock that ends with its process, so that `sweep` can tell a leftover from work under way.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from server.errors import VersionError, VersionInUse, VersionNotFound
from server.model_intake import sync_folder
from server.transfer import Progress

MODEL_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")
INCOMING = ".incoming-"
DOOMED = ".doomed-"
USE = ".use-"


class VersionStore:
    """The folders below one root. Several processes may work in it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place_of(self, model: str, version: str) -> str:
        """Where a version lies, relative to the root. Raises VersionError for a name that cannot be one."""
        if not MODEL_NAME.match(model):
            raise VersionError(
                f"{model!r} cannot name a model with versions: 1 to 100 letters, digits and . _ : / -,"
                " a letter or digit first; serve it under such a name"
            )
        return f"{quote(model, safe='')}/{version}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one that lets folders appear or looks for leftovers; waits its turn, briefly."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.root / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def copied(self, folder: Path, names: Sequence[str], progress: Progress) -> Iterator[Path]:
        """A durable copy of those files, of nobody else's; deleted at the end unless it was placed.

        Raises VersionError when the disk is full or will not have it; nothing is left then.
        """
        private = self.root / f"{INCOMING}{secrets.token_hex(8)}"
        with contextlib.ExitStack() as stack:
            with self._translated(folder), self.locked():
                private.mkdir(mode=0o700)
                stack.callback(shutil.rmtree, private, ignore_errors=True)
                lock = stack.enter_context((private / "lock").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            copy = private / "content"
            with self._translated(folder):
                self._need_room(folder, names)
                copy.mkdir()
                for name in names:
                    progress(f"copying {name}")
                    shutil.copyfile(folder / name, copy / name)
                make_durable(copy)
            yield copy

    def place(self, folder: Path, place: str) -> None:
        """Let a whole folder appear at its place; the caller holds `locked`.

        Raises VersionError when there is something already, or the disk will not have it.
        """
        target = self.root / place
        if target.exists():
            raise VersionError(
                f"{target} is there already, but not in the catalog: `codeloop versions collect`"
                " takes it in or clears it away"
            )
        with self._translated(folder):
            target.parent.mkdir(exist_ok=True, mode=0o700)
            folder.rename(target)
            sync_folder(target.parent)
            sync_folder(self.root)

    def doom(self, place: str) -> None:
        """Delete a folder: gone at once, whatever interrupts the deleting. Nothing when it is gone."""
        doomed = self.root / f"{DOOMED}{secrets.token_hex(8)}"
        with contextlib.suppress(FileNotFoundError):
            (self.root / place).rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self) -> list[str]:
        """Delete what dead processes left half-written or half-deleted; names what it was."""
        swept = []
        with self.locked():
            for path in sorted(self.root.glob(".*-*")):
                if path.name.startswith(DOOMED) or (
                    path.name.startswith(INCOMING) and not _is_alive(path / "lock")
                ):
                    shutil.rmtree(path, ignore_errors=True)
                    swept.append(path.name)
        return swept

    def placed(self) -> list[tuple[str, str]]:
        """(model, version) of every folder that is at a version's place."""
        if not self.root.is_dir():
            return []
        return [
            (unquote(model.name), version.name)
            for model in sorted(self.root.iterdir())
            if model.is_dir() and not model.name.startswith(".")
            for version in sorted(model.iterdir())
            if version.is_dir() and not version.name.startswith(".")
        ]

    @contextlib.contextmanager
    def held(self, place: str) -> Iterator[Path]:
        """The folder, which nobody deletes while the block runs. Raises VersionNotFound."""
        with self._use(place, fcntl.LOCK_SH) as folder:
            if not folder.is_dir():
                self._use_file(place).unlink(missing_ok=True)
                raise _missing(folder)
            yield folder

    @contextlib.contextmanager
    def alone(self, place: str) -> Iterator[None]:
        """Be sure that nobody holds the folder. Raises VersionInUse at once when somebody does."""
        try:
            with self._use(place, fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield
                if not (self.root / place).is_dir():
                    # Whoever waits for this lock finds the version gone.
                    self._use_file(place).unlink(missing_ok=True)
        except BlockingIOError:
            raise VersionInUse(
                f"{unquote(place)} is being read by another process, an engine or an evaluation: let"
                " that end first"
            ) from None

    @contextlib.contextmanager
    def _use(self, place: str, operation: int) -> Iterator[Path]:
        try:
            file = self._use_file(place).open("w")
        except OSError as error:
            raise _missing(self.root / place) from error
        with file:
            fcntl.flock(file, operation)
            yield self.root / place

    def _use_file(self, place: str) -> Path:
        path = self.root / place
        return path.with_name(f"{USE}{path.name}")

    def _need_room(self, folder: Path, names: Sequence[str]) -> None:
        needed = sum((folder / name).stat().st_size for name in names)
        free = shutil.disk_usage(self.root).free
        if needed > free:
            raise OSError(errno.ENOSPC, f"{needed} bytes are needed and {free} are free")

    @contextlib.contextmanager
    def _translated(self, folder: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise VersionError(
                f"{self.root} cannot take {folder}: {error}; make room with `codeloop versions"
                " collect`, mend its rights, or choose another place with --home"
            ) from error


def make_durable(folder: Path) -> None:
    """Make files and names of a folder outlast a power cut."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder)


def _missing(folder: Path) -> VersionNotFound:
    return VersionNotFound(
        f"{folder} is not there: it was removed, or deleted past codeloop; `codeloop versions"
        " collect` puts catalog and folders in order"
    )


def _is_alive(lock: Path) -> bool:
    """Whether the process that made the lock still runs."""
    try:
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
