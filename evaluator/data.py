"""Finds a suite's files, checks them against their digests, and reads their rows.

Data is not part of the package: an operator places it in one folder, or has `codeloop eval fetch`
get it from its public source.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.errors import DataInvalid, DataMissing


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of a suite.

    path: below the data folder. sha256: of the file as placed there; "" where an operator's own
    file is taken. url: where it can be had. rows: how many it holds.
    """

    path: str
    url: str
    sha256: str = ""
    rows: int | None = None


class DataFolder:
    """The folder that holds every suite's files.

    is_checked: whether digests are compared; a customer's own edition of a suite has another one.
    """

    def __init__(self, root: Path, *, is_checked: bool = True) -> None:
        self.root = root
        self.is_checked = is_checked

    def has(self, file: SourceFile) -> bool:
        """Whether the file is there; its content is not looked at."""
        return (self.root / file.path).is_file()

    def content(self, file: SourceFile) -> bytes:
        """The file's bytes, unpacked if it is gzip. Raises DataMissing, DataInvalid."""
        path = self.root / file.path
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise DataMissing(
                f"{path} is not there: place it, from {file.url}, or name the folder that holds it"
                " with --data or CODELOOP_DATA"
            ) from None
        except OSError as error:
            raise DataMissing(
                f"{path} cannot be read ({error.strerror}): check its rights"
            ) from error
        found = hashlib.sha256(raw).hexdigest()
        if self.is_checked and file.sha256 and found != file.sha256:
            raise DataInvalid(
                f"{path} has SHA-256 {found}, not {file.sha256}: get it again from {file.url}, or"
                " pass --unverified-data to use another edition, which gets a recipe of its own"
            )
        try:
            return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        except (OSError, EOFError) as error:
            raise DataInvalid(f"{path} is no whole gzip file ({error}): get it again") from error

    def rows(self, file: SourceFile) -> Iterator[dict[str, Any]]:
        """The file's JSON lines. Raises DataMissing, DataInvalid with the line's number."""
        for number, line in enumerate(self.content(file).splitlines(), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataInvalid(f"{self.root / file.path}, line {number}: {error}") from error
            if not isinstance(row, dict):
                raise DataInvalid(
                    f"{self.root / file.path}, line {number}: a row is a JSON object, this is a"
                    f" {type(row).__name__}"
                )
            yield row

    def digest(self, files: tuple[SourceFile, ...]) -> str:
        """SHA-256 over the files' names and contents, for manifests and caches."""
        whole = hashlib.sha256()
        for file in files:
            whole.update(file.path.encode() + b"\0")
            whole.update(hashlib.sha256(self.content(file)).digest())
        return whole.hexdigest()
