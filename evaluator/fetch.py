"""Gets suites' files from their public sources, or from a mirror of them, into the data folder."""

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from evaluator.data import DataFolder, SourceFile, check_content
from evaluator.errors import DataMissing

_SECONDS = 60.0
_CHUNK_BYTES = 1 << 20


def fetch(
    file: SourceFile,
    folder: DataFolder,
    *,
    mirror: str = "",
    on_bytes: Callable[[int, int | None], None] = lambda _done, _all: None,
) -> Path:
    """Download one file, check it, and put it into its place by one rename.

    mirror: replaces the scheme and host of its address. on_bytes: told how many bytes are there, of
    how many. Raises DataMissing with what to place where, DataInvalid for another content.
    """
    if not file.download:
        raise DataMissing(
            f"{file.path} has no address of its own: its rows come from {file.url}; place them at"
            f" {folder.root / file.path}, one JSON object a line"
        )
    address = file.download
    if mirror:
        parts = urlsplit(address)
        address = f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"
    place = folder.root / file.path
    try:
        content = _downloaded(address, on_bytes)
    except (OSError, urllib.error.URLError) as error:
        raise DataMissing(
            f"{address} cannot be had ({error}): place the file at {place} by hand, or name a"
            " reachable copy of its host with --mirror"
        ) from error
    check_content(file, content, place)
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.part")
    temporary.write_bytes(content)
    temporary.replace(place)
    return place


def _downloaded(address: str, on_bytes: Callable[[int, int | None], None]) -> bytes:
    pieces, done = [], 0
    with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
        size = answer.headers.get("Content-Length")
        while piece := answer.read(_CHUNK_BYTES):
            pieces.append(piece)
            done += len(piece)
            on_bytes(done, int(size) if size else None)
    if size and done != int(size):
        raise OSError(f"{done} of {size} bytes came")
    return b"".join(pieces)
