"""manifest.json of a stored model: every file with its hash, every tensor with its shape.

Written last, before the one rename that makes the model visible; `verify` holds the files to it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.errors import ModelCorrupt
from server.safetensors_header import read_header

NAME = "manifest.json"
SCHEMA = 1
READ_BYTES = 4 * 2**20

Progress = Callable[[str], None]


def silent(message: str) -> None:
    """A progress that says nothing."""


def write_manifest(folder: Path, *, name: str, source: str, family: str) -> None:
    """Hash everything in the folder and write the manifest beside it."""
    files = {
        str(path.relative_to(folder)): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }
    tensors = {
        tensor: {"dtype": fact.dtype, "shape": list(fact.shape), "file": file.name}
        for file in sorted(folder.glob("*.safetensors"))
        for tensor, fact in read_header(file).items()
    }
    manifest = {
        "schema": SCHEMA,
        "name": name,
        "source": source,
        "family": family,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tokenizer_sha256": files.get("tokenizer.json", {}).get("sha256"),
        "files": files,
        "tensors": tensors,
    }
    (folder / NAME).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest of a stored model. Raises ModelCorrupt."""
    path = folder / NAME
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelCorrupt(f"{path} cannot be read: {error}; pull the model again") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise ModelCorrupt(
            f"{path} is not of schema {SCHEMA}: it was written by another version of codeloop;"
            " pull the model again"
        )
    return manifest


def verify(folder: Path, progress: Progress = silent) -> None:
    """Hash every file of the manifest. Raises ModelCorrupt for the first that differs."""
    for name, expected in read_manifest(folder)["files"].items():
        path = folder / name
        progress(f"hashing {name}")
        if not path.is_file():
            raise ModelCorrupt(f"{path} is missing: pull the model again")
        found = sha256(path)
        if found != expected["sha256"]:
            raise ModelCorrupt(
                f"{path} has sha256 {found[:12]}…: its manifest says {expected['sha256'][:12]}…;"
                " the file was changed or damaged, pull the model again"
            )


def sha256(path: Path) -> str:
    """Hash of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()
