"""manifest.json of a stored model: every file with its hash, every tensor with its shape.

Written last, before the one rename that makes the model visible; `verify` holds the files to it.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.errors import ModelCorrupt
from server.safetensors_header import read_header
from server.transfer import Progress, silent

NAME = "manifest.json"
SCHEMA: Literal[1] = 1
READ_BYTES = 4 * 2**20


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, use_attribute_docstrings=True)


class FileFact(_Data):
    """One file as it was when the model came in."""

    sha256: str
    num_bytes: int = Field(alias="bytes")


class TensorPlace(_Data):
    """One tensor as the header of its file describes it."""

    dtype: str
    shape: tuple[int, ...]
    file: str


class Manifest(_Data):
    """What a stored model is and was."""

    version: Literal[1] = Field(default=SCHEMA, alias="schema")
    name: str
    source: str
    """Hub id, the program that made it, or the absolute path that it was copied from."""
    revision: str | None = None
    """The hub's commit, for a model that came from there."""
    family: str
    created: str
    """When it came into the store, as ISO 8601."""
    tokenizer_sha256: str | None
    files: Mapping[str, FileFact]
    tensors: Mapping[str, TensorPlace]

    @property
    def digest(self) -> str:
        """One hash of all its files: what answers the same has the same, whatever it is called."""
        whole = hashlib.sha256()
        for name in sorted(self.files):
            whole.update(f"{name}\0{self.files[name].sha256}\n".encode())
        return whole.hexdigest()


def write_manifest(
    folder: Path, *, name: str, source: str, revision: str | None, family: str
) -> None:
    """Hash everything in the folder and write the manifest beside it."""
    files = {
        file: FileFact(sha256=sha256(folder / file), num_bytes=(folder / file).stat().st_size)
        for file in _files(folder)
    }
    tensors = {
        tensor: TensorPlace(dtype=fact.dtype, shape=fact.shape, file=file.name)
        for file in sorted(folder.glob("*.safetensors"))
        for tensor, fact in read_header(file).items()
    }
    tokenizer = files.get("tokenizer.json")
    manifest = Manifest(
        name=name,
        source=source,
        revision=revision,
        family=family,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tokenizer_sha256=tokenizer.sha256 if tokenizer else None,
        files=files,
        tensors=tensors,
    )
    (folder / NAME).write_text(manifest.model_dump_json(indent=1, by_alias=True), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a stored model. Raises ModelCorrupt."""
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        why = str(error)
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc'])) or 'the text'}: {first['msg']}"
    raise ModelCorrupt(
        f"{path} is no manifest of schema {SCHEMA} ({why}): it was damaged, or written by another"
        f" version of codeloop; `codeloop models remove {folder.name}`, then pull the model again"
    )


def verify(folder: Path, progress: Progress = silent) -> None:
    """Hash every file of the manifest. Raises ModelCorrupt for the first that differs or is new."""
    files = read_manifest(folder).files
    way_out = f"`codeloop models remove {folder.name}`, then pull the model again"
    for name, expected in files.items():
        path = folder / name
        progress(f"hashing {name}")
        if not path.is_file():
            raise ModelCorrupt(f"{path} is missing: {way_out}")
        found = sha256(path)
        if found != expected.sha256:
            raise ModelCorrupt(
                f"{path} has sha256 {found[:12]}…: its manifest says {expected.sha256[:12]}…;"
                f" the file was changed or damaged: {way_out}"
            )
    if added := [name for name in _files(folder) if name not in files]:
        raise ModelCorrupt(
            f"{folder / added[0]} is not in the manifest: it was added later and may change what the"
            " model answers; delete it, or keep such a model in a folder outside the store"
        )


def sha256(path: Path) -> str:
    """Hash of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _files(folder: Path) -> list[str]:
    """Names of all files below, the manifest's own left out."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / NAME
    ]
