"""Finds a suite's files, checks them against their digests, and reads their rows.

Data is not part of the package: an operator places it in one folder, or has `codeloop eval fetch`
get it from its public source.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.errors import DataInvalid, DataMissing


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of a suite.

    path: below the data folder; the same name without .gz is taken too. url: where it comes from.
    download: the file itself, where its source has it in this form. sha256: of a file that is known;
    rows_sha256: of its rows in canonical JSON, which a copy with other compression or order of keys
    has too; "" where an operator's own file is taken. rows: how many it holds.
    """

    path: str
    url: str
    download: str = ""
    sha256: str = ""
    rows_sha256: str = ""
    rows: int | None = None


class DataFolder:
    """The folder that holds every suite's files.

    is_checked: whether digests are compared; a customer's own edition of a suite has another one.
    """

    def __init__(self, root: Path, *, is_checked: bool = True) -> None:
        self.root = root
        self.is_checked = is_checked

    def place(self, file: SourceFile) -> Path:
        """Where the file is, or would be."""
        path = self.root / file.path
        plain = path.with_suffix("") if path.suffix == ".gz" else path
        return plain if not path.is_file() and plain.is_file() else path

    def has(self, file: SourceFile) -> bool:
        """Whether the file is there; its content is not looked at."""
        return self.place(file).is_file()

    def content(self, file: SourceFile) -> bytes:
        """The file's bytes, unpacked if it is gzip. Raises DataMissing, DataInvalid."""
        path = self.place(file)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            way = "codeloop eval fetch gets it, or place it" if file.download else "place it"
            raise DataMissing(
                f"{path} is not there: {way}, from {file.url}, or name the folder that holds it with"
                " --data or CODELOOP_DATA"
            ) from None
        except OSError as error:
            raise DataMissing(
                f"{path} cannot be read ({error.strerror}): check its rights"
            ) from error
        if self.is_checked:
            check_content(file, raw, path)
        return _unpacked(raw, path)

    def rows(self, file: SourceFile) -> Iterator[dict[str, Any]]:
        """The file's JSON lines, or the items of its JSON list. Raises DataMissing, DataInvalid."""
        yield from _rows(self.content(file), self.place(file))

    def digest(self, files: tuple[SourceFile, ...]) -> str:
        """SHA-256 over the files' names and contents, for manifests and caches."""
        whole = hashlib.sha256()
        for file in files:
            whole.update(file.path.encode() + b"\0")
            whole.update(hashlib.sha256(self.content(file)).digest())
        return whole.hexdigest()


def check_content(file: SourceFile, raw: bytes, path: Path) -> None:
    """Raise DataInvalid unless the bytes are the known file, or hold the known rows."""
    found = hashlib.sha256(raw).hexdigest()
    if not file.sha256 or found == file.sha256:
        return
    if file.rows_sha256 and rows_digest(_rows(_unpacked(raw, path), path)) == file.rows_sha256:
        return
    raise DataInvalid(
        f"{path} has SHA-256 {found}, not {file.sha256}, and other rows than its source: get it again"
        f" from {file.url}, or pass --unverified-data to use another edition, which gets a recipe of"
        " its own"
    )


def rows_digest(rows: Iterable[dict[str, Any]]) -> str:
    """SHA-256 over the rows, each as JSON with sorted keys and without blanks, and a line break."""
    whole = hashlib.sha256()
    for row in rows:
        whole.update(json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return whole.hexdigest()


def _unpacked(raw: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise DataInvalid(f"{path} is no whole gzip file ({error}): get it again") from error


def _rows(content: bytes, path: Path) -> Iterator[dict[str, Any]]:
    if content[:1] == b"[":
        try:
            items = list(enumerate(json.loads(content), 1))
        except ValueError as error:
            raise DataInvalid(f"{path}: {error}") from error
    else:
        items = []
        for number, line in enumerate(content.splitlines(), 1):
            try:
                items.append((number, json.loads(line) if line.strip() else None))
            except ValueError as error:
                raise DataInvalid(f"{path}, line {number}: {error}") from error
    for number, row in items:
        if isinstance(row, dict):
            yield row
        elif row is not None:
            raise DataInvalid(
                f"{path}, line {number}: a row is a JSON object, this is a {type(row).__name__}"
            )
