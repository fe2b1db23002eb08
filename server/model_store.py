"""The model store: a folder with one folder a model, each with a manifest.

A model appears by one rename when it is whole, and never half: an interrupted download leaves a
hidden folder with which the next pull of the same name goes on; any other half is cleared away.
"""

import contextlib
import fcntl
import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server import model_manifest
from server.errors import ModelCorrupt, ModelError, ModelNotFound
from server.model_folder import check_folder
from server.model_intake import sync_folder, take_in
from server.model_names import OnHub, Source, read_source, unknown
from server.transfer import Progress, silent

log = logging.getLogger(__name__)

PARTIAL_PREFIX = ".partial-"
FORGOTTEN_SECONDS = 7 * 24 * 3600
"""Longest that an interrupted pull may be gone on with."""

PATH_STARTS = ("/", "./", "../", "~")


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """One model of the store.

    source: hub id, the program that made it, or the absolute path that it was copied from.
    num_bytes: of all its files.
    """

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

        A folder is used where it is. pull: fetch what is not here; without it, ModelNotFound says
        how to. Raises ModelError.
        """
        folder = Path(source).expanduser()
        if source.startswith(PATH_STARTS) or source in (".", ".."):
            if not folder.is_dir():
                raise unknown(source)
            return folder.resolve()
        if stored := self.find(source):
            return stored.path
        if source and folder.is_dir():
            return folder.resolve()
        if read_source(source).where is None:
            raise unknown(source)
        if not pull:
            raise ModelNotFound(
                f"the model {source!r} is not in {self.root}: `codeloop models pull {source}` gets it"
            )
        return self.pull(source, progress=progress).path

    def find(self, text: str, *, copy_of: Path | None = None) -> StoredModel | None:
        """The stored model of that name or hub id, else None.

        copy_of: the folder that it must have been copied from. Raises ModelCorrupt, and ModelError
        when another model is stored under the name.
        """
        with contextlib.suppress(ModelNotFound):
            return self._find(read_source(text), copy_of)
        return None

    def pull(
        self, source: str, *, copy_of: Path | None = None, progress: Progress = silent
    ) -> StoredModel:
        """Make, fetch or copy a model into the store; nothing to do when it is there.

        copy_of: a local folder to take the files from. Raises ModelError.
        """
        wanted = read_source(source)
        if copy_of is None and wanted.where is None:
            raise unknown(source)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with self._locked(wanted.name, progress):
                self._clear_forgotten()
                if stored := self._find(wanted, copy_of):
                    progress(f"{wanted.name} is here already")
                    return stored
                self._bring(wanted, copy_of, progress)
        except OSError as error:
            raise ModelError(
                f"the store {self.root} cannot take {wanted.name!r}: {error}; make room, mend its"
                " rights, or choose another place with --home"
            ) from error
        return self.get(wanted.name)

    def list(self) -> list[StoredModel]:
        """Every model of the store by name; what is not whole is not there.

        One whose manifest cannot be read is left out, and the log says so.
        """
        models = []
        for path in sorted(self.root.iterdir()) if self.root.is_dir() else ():
            if path.name.startswith(".") or not (path / model_manifest.NAME).is_file():
                continue
            try:
                models.append(self.get(path.name))
            except ModelCorrupt as error:
                log.warning("left out: %s", error)
        return models

    def get(self, name: str) -> StoredModel:
        """One stored model. Raises ModelNotFound and ModelCorrupt."""
        path = self._folder(name)
        manifest = model_manifest.read_manifest(path)
        return StoredModel(
            name=path.name,
            path=path,
            source=manifest.source,
            family=manifest.family,
            created=manifest.created,
            num_bytes=sum(file.num_bytes for file in manifest.files.values()),
        )

    def verify(self, name: str, *, progress: Progress = silent) -> StoredModel:
        """Hash every file and look the folder over. Raises ModelNotFound and ModelCorrupt."""
        model = self.get(name)
        model_manifest.verify(model.path, progress)
        check_folder(model.path)
        return model

    def remove(self, name: str) -> None:
        """Delete a model, damaged or not, and what an interrupted pull of it left.

        It is gone at once, whatever interrupts the deleting. Raises ModelNotFound, and ModelError
        while it is being pulled.
        """
        half = self._partial(read_source(name).name)
        if not half.is_dir():
            self._folder(name)
        with self._locked(read_source(name).name):
            for found in (half, self.root / read_source(name).name):
                if found.is_dir():
                    doomed = self._partial(f"removed-{found.name}")
                    shutil.rmtree(doomed, ignore_errors=True)
                    found.rename(doomed)
                    shutil.rmtree(doomed)

    def _find(self, wanted: Source, copy_of: Path | None) -> StoredModel | None:
        if not (self.root / wanted.name / model_manifest.NAME).is_file():
            return None
        stored = self.get(wanted.name)
        if copy_of is not None:
            origin = str(copy_of.resolve())
            is_it = stored.source == origin
        else:
            # What was copied from a folder is what its owner says that it is.
            is_it = stored.source.startswith("/") or wanted.origin in (None, stored.source)
            origin = str(wanted.origin)
        if is_it:
            return stored
        raise ModelError(
            f"the store has {stored.name!r} from {stored.source}, not from {origin}: remove it with"
            f" `codeloop models remove {stored.name}`, or choose another name"
        )

    def _clear_forgotten(self) -> None:
        """Delete what interrupted pulls and removals left a week ago, of whatever name."""
        for path in self.root.glob(f"{PARTIAL_PREFIX}*"):
            if time.time() - _last_written(path) < FORGOTTEN_SECONDS:
                continue
            # A lock that is held belongs to a pull that is at work there.
            with (
                contextlib.suppress(ModelError),
                self._locked(path.name.removeprefix(PARTIAL_PREFIX)),
            ):
                shutil.rmtree(path, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        path = self.root / read_source(name).name
        if not (path / model_manifest.NAME).is_file():
            have = ", ".join(model.name for model in self.list()) or "none"
            raise ModelNotFound(f"no model {name!r} in {self.root}: it has {have}")
        return path

    def _partial(self, name: str) -> Path:
        return self.root / f"{PARTIAL_PREFIX}{name}"

    def _bring(self, wanted: Source, copy_of: Path | None, progress: Progress) -> None:
        """Fill a hidden folder, look it over, and let it appear under the name."""
        partial = self._partial(wanted.name)
        is_resumable = copy_of is None and isinstance(wanted.where, OnHub)
        if not is_resumable:
            shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(exist_ok=True)
        try:
            take_in(wanted, partial, copy_of=copy_of, progress=progress)
            partial.rename(self.root / wanted.name)
            sync_folder(self.root)
        finally:
            if not (is_resumable and any(path.is_file() for path in partial.rglob("*"))):
                shutil.rmtree(partial, ignore_errors=True)

    @contextlib.contextmanager
    def _locked(self, name: str, progress: Progress | None = None) -> Iterator[None]:
        """Hold the lock of one name.

        With a progress, wait for another pull of it, whose result is then found; without, raise
        ModelError.
        """
        with (self.root / f".lock-{name}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if progress is None:
                    raise ModelError(
                        f"{name!r} is being pulled right now: let that end, or stop it"
                    ) from None
                progress("another pull of the same model is under way: waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _last_written(folder: Path) -> float:
    times = [0.0]
    for path in (folder, *folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times)
