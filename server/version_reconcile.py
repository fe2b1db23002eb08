"""Catalog and folders put in agreement after a crash: one line of the log for each thing mended."""

import logging
from collections.abc import Iterator
from pathlib import Path

from server.errors import VersionError, VersionRefused
from server.version_intake import Intake
from server.version_ledger import VersionLedger
from server.version_record import Version
from server.version_states import MOVES, State
from server.version_store import VersionStore

log = logging.getLogger(__name__)

ACTOR = "reconcile"


def reconcile(store: VersionStore, ledger: VersionLedger, intake: Intake) -> list[str]:
    """What was mended or has to be, a sentence each; empty when all was in order.

    A folder without a row is verified and taken in, or deleted when it does not verify; one whose row
    says `removed` is deleted. A row without a folder becomes `removed`, unless it is live: then an
    operator has to act, for the engine's next start needs it. Safe beside other processes.
    """
    told = []
    for line in _lines(store, ledger, intake):
        log.warning("versions: %s", line)
        told.append(line)
    return told


def _lines(store: VersionStore, ledger: VersionLedger, intake: Intake) -> Iterator[str]:
    if not store.root.is_dir():
        return
    for name in store.sweep():
        yield f"deleted {store.root / name}, which a process that died had left"
    for model, version in _strays(store, ledger):
        yield _stray(store, intake, model, version)
    known = {(each.model, each.version): each for each in ledger.versions()}
    for model, version in store.placed():
        row = known.get((model, version))
        if row and row.state is State.REMOVED:
            store.doom(store.place_of(model, version))
            yield f"deleted the folder of {row.name}, which was removed"
    for row in known.values():
        if row.state is not State.REMOVED and not row.folder.is_dir():
            is_mounted = row.folder.parent.is_dir()
            yield _lost(ledger, row) if is_mounted or row.kind == "base" else _unseen(row)


def _strays(store: VersionStore, ledger: VersionLedger) -> list[tuple[str, str]]:
    """Folders without a row, of no publisher that is still at work: it would hold the lock."""
    with store.locked():
        known = {(each.model, each.version) for each in ledger.versions()}
        return [place for place in store.placed() if place not in known]


def _stray(store: VersionStore, intake: Intake, model: str, version: str) -> str:
    folder: Path = store.root / store.place_of(model, version)
    try:
        intake.adopt(model, version, actor=ACTOR)
    except VersionRefused as error:
        store.doom(store.place_of(model, version))
        return f"deleted {folder}, which was not in the catalog: {error}"
    except VersionError as error:
        return f"left {folder} alone: {error}"
    return f"took in {model}@{version}, whose folder was at its place but not in the catalog"


def _lost(ledger: VersionLedger, row: Version) -> str:
    if row.state is State.LIVE:
        return (
            f"{row.folder}, the folder of {row.name}, is gone although it is live: roll back, promote"
            " another version, or restore the folder before the engine starts again"
        )
    with ledger.change(row.model) as change:
        found = change.get(row.version)
        if found.state is State.LIVE or found.folder.is_dir():
            return f"{row.name} has changed meanwhile: it is {found.state}"
        way = (
            [State.REMOVED]
            if State.REMOVED in MOVES[found.state]
            else [State.REJECTED, State.REMOVED]
        )
        for number, state in enumerate(way):
            now = found if number == 0 else change.get(row.version)
            change.move(
                now,
                state,
                actor=ACTOR,
                reason="its folder is gone",
                evidence={"folder": str(row.folder)},
            )
    return f"{row.name} was {row.state} and its folder {row.folder} is gone: it is removed now"


def _unseen(row: Version) -> str:
    """Deleting a version leaves its model's folder; without that, a disk is missing, not a version."""
    return (
        f"{row.folder}, the folder of {row.name}, is out of sight with all of {row.folder.parent}: mount"
        " its disk; the catalog is left as it is"
    )
