"""One model on its way in: its files put in a folder, looked over, described and made durable."""

import os
import shutil
from pathlib import Path

from server import model_hub, model_manifest, model_sources
from server.errors import HubUnreachable, ModelError
from server.families import family_of_folder
from server.model_folder import check_folder
from server.model_names import Embedded, Source
from server.transfer import Progress


def take_in(wanted: Source, folder: Path, *, copy_of: Path | None, progress: Progress) -> None:
    """Fill the folder; when this returns, all that is missing is its name.

    copy_of: take the files from there. Raises ModelError, and OSError from the disk.
    """
    origin, revision = _fill(wanted, folder, copy_of, progress)
    check_folder(folder)
    progress("hashing")
    # The source may say more than the files do: it is how DeepCoder is told apart.
    found = family_of_folder(folder, known_as=f"{wanted.text} {wanted.name} {origin}")
    model_manifest.write_manifest(
        folder, name=wanted.name, source=origin, revision=revision, family=found.name
    )
    _sync(folder)


def _fill(
    wanted: Source, partial: Path, copy_of: Path | None, progress: Progress
) -> tuple[str, str | None]:
    """Put the files there. Returns where they came from, and the hub's commit if it was the hub."""
    if copy_of is not None:
        check_folder(copy_of)
        model_sources.copy(copy_of, partial, progress)
        return str(copy_of.resolve()), None
    assert wanted.where is not None
    if isinstance(wanted.where, Embedded):
        model_sources.make(wanted.where, partial, progress)
        return wanted.where.program, None
    repository = wanted.where.repository
    try:
        revision = model_hub.fetch(repository, partial, progress)
    except HubUnreachable:
        snapshot = _whole_snapshot(repository)
        if snapshot is None:
            raise
        progress("the hub cannot be reached: taking the model from its client's cache")
        model_sources.copy(snapshot, partial, progress)
        revision = snapshot.name
    shutil.rmtree(partial / model_hub.HIDDEN, ignore_errors=True)
    return repository, revision


def _whole_snapshot(repository: str) -> Path | None:
    """The repository in the cache of the hub's client, if all of it is there."""
    snapshot = model_hub.cached(repository)
    try:
        return check_folder(snapshot).path if snapshot else None
    except ModelError:
        return None


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in the folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
