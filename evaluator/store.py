"""Results that are made once and kept by the digest of what they were made from."""

import os
from collections.abc import Callable
from pathlib import Path


def find(folder: Path, digest: str) -> bytes | None:
    """The content kept under a digest, or None."""
    try:
        return (folder / digest[:2] / digest).read_bytes()
    except FileNotFoundError:
        return None


def stored(folder: Path, digest: str, make: Callable[[], bytes]) -> bytes:
    """The content kept under a digest, made first if it is not there.

    Written by one rename, so that processes that make it at once do not harm each other. The folder
    may be deleted at any time.
    """
    content = find(folder, digest)
    if content is not None:
        return content
    content = make()
    path = folder / digest[:2] / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{digest}.{os.getpid()}.{id(content)}")
    temporary.write_bytes(content)
    temporary.replace(path)
    return content
