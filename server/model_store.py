"""The model store: a folder with one folder a model, each with a manifest.

A model appears by one rename when it is whole, and never half: an interrupted pull leaves a
hidden folder that the next pull of the same name goes on with or clears away.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server import model_manifest, model_sources
from server.errors import ModelCorrupt, ModelNotFound
from server.families import recognise
from server.model_folder import check_folder
from server.model_manifest import Progress, silent
from server.model_names import NAMES, Embedded

PARTIAL_PREFIX = ".partial-"
HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")
STORE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """One model of the store. num_bytes: of all its files."""

    name: str
    path: Path
    source: str
    family: str
    created: str
    num_bytes: int


class ModelStore:
    """The models below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def resolve(self, source: str, *, pull: bool, progress: Progress = silent) -> Path:
        """The folder of a stored name, of a path, or of what can be pulled.

        pull: fetch what is not here; without it, ModelNotFound says how to. Raises ModelError.
        """
        folder = Path(source).expanduser()
        if "/" in source and folder.is_dir():
            return folder.resolve()
        stored = self.root / store_name(source)
        if (stored / model_manifest.NAME).is_file():
            return stored
        if source not in NAMES and not HUB_ID.match(source):
            raise unknown(source)
        if not pull:
            raise ModelNotFound(
                f"the model {source!r} is not in {self.root}: `codeloop models pull {source}` gets it"
            )
        return self.pull(source, progress=progress).path

    def pull(
        self, source: str, *, copy_of: Path | None = None, progress: Progress = silent
    ) -> StoredModel:
        """Make, fetch or copy a model into the store; nothing to do when it is there.

        copy_of: a local folder to take the files from. Raises ModelError.
        """
        if copy_of is None and source not in NAMES and not HUB_ID.match(source):
            raise unknown(source)
        name = store_name(source)
        self.root.mkdir(parents=True, exist_ok=True)
        with self._locked(name, progress):
            target = self.root / name
            if (target / model_manifest.NAME).is_file():
                progress(f"{name} is here already")
                return self.get(name)
            partial = self.root / f"{PARTIAL_PREFIX}{name}"
            partial.mkdir(exist_ok=True)
            origin = self._fill(source, partial, copy_of, progress)
            progress("hashing")
            # The source may say more than the config does: it is how DeepCoder is told apart.
            family = recognise(check_folder(partial).config, f"{source} {origin} {name}")
            model_manifest.write_manifest(partial, name=name, source=origin, family=family.name)
            _sync(partial)
            partial.rename(target)
            _sync_folder(self.root)
        return self.get(name)

    def list(self) -> list[StoredModel]:
        """Every model of the store by name; what is not whole is not there."""
        if not self.root.is_dir():
            return []
        return [
            self.get(path.name)
            for path in sorted(self.root.iterdir())
            if (path / model_manifest.NAME).is_file() and not path.name.startswith(".")
        ]

    def get(self, name: str) -> StoredModel:
        """One stored model. Raises ModelNotFound and ModelCorrupt."""
        path = self.root / store_name(name)
        if not (path / model_manifest.NAME).is_file():
            have = ", ".join(model.name for model in self.list()) or "none"
            raise ModelNotFound(f"no model {name!r} in {self.root}: it has {have}")
        manifest = model_manifest.read_manifest(path)
        return StoredModel(
            name=path.name,
            path=path,
            source=manifest["source"],
            family=manifest["family"],
            created=manifest["created"],
            num_bytes=sum(file["bytes"] for file in manifest["files"].values()),
        )

    def verify(self, name: str, *, progress: Progress = silent) -> StoredModel:
        """Hash every file and look the folder over. Raises ModelCorrupt."""
        model = self.get(name)
        model_manifest.verify(model.path, progress)
        check_folder(model.path)
        return model

    def remove(self, name: str) -> None:
        """Delete a model; it is gone at once, whatever interrupts the deleting."""
        model = self.get(name)
        doomed = self.root / f"{PARTIAL_PREFIX}removed-{model.name}"
        shutil.rmtree(doomed, ignore_errors=True)
        model.path.rename(doomed)
        shutil.rmtree(doomed)

    def _fill(self, source: str, partial: Path, copy_of: Path | None, progress: Progress) -> str:
        known = NAMES.get(source)
        if copy_of is not None:
            check_folder(copy_of)
            model_sources.copy(copy_of, partial, progress)
            origin = str(copy_of)
        elif isinstance(known, Embedded):
            shutil.rmtree(partial)  # a conversion has no half that is worth keeping
            partial.mkdir()
            model_sources.make(known, partial, progress)
            _check_hash(known, partial)
            origin = known.program
        else:
            origin = known.repository if known else source
            model_sources.fetch(origin, partial, progress)
            shutil.rmtree(partial / ".cache", ignore_errors=True)
        return origin

    @contextlib.contextmanager
    def _locked(self, name: str, progress: Progress) -> Iterator[None]:
        """Hold the lock of one name; a second pull waits for the first and finds its result."""
        with (self.root / f".lock-{name}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("another pull of the same model is under way: waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def store_name(source: str) -> str:
    """The folder name for a name, a hub id or a path. Raises ModelNotFound for what cannot be one."""
    name = source.rstrip("/").rpartition("/")[2].lower() if "/" in source else source
    if not STORE_NAME.match(name):
        raise unknown(source)
    return name


def unknown(source: str) -> ModelNotFound:
    """The error for a source that means nothing."""
    return ModelNotFound(
        f"the model {source!r} is neither in the store, nor a folder, nor a hub id (owner/name);"
        f" known names are {', '.join(NAMES)}"
    )


def _check_hash(known: Embedded, partial: Path) -> None:
    if known.sha256 is None:
        return
    found = model_manifest.sha256(partial / "model.safetensors")
    if found != known.sha256:
        raise ModelCorrupt(
            f"{known.program} made weights with sha256 {found[:12]}…: {known.sha256[:12]}… was"
            " expected; reinstall the environment from its lock file and pull again"
        )


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
