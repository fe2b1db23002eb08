"""The catalog of versions: which there are, what state each is in, and who moved it there and why.

Rows in the database, folders below one root. A change of a state is one transaction: it happens, with its
audit row, or it raises and nothing has changed. Calls block and belong in a thread; several processes
may use one catalog.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.errors import VersionRefused
from server.store import Store
from server.transfer import Progress, silent
from server.version_check import check_version
from server.version_collection import Collection, Collector
from server.version_intake import Intake, digest_of, read_arrival
from server.version_ledger import VersionLedger
from server.version_moves import VersionMoves
from server.version_reconcile import reconcile
from server.version_record import BASE_VERSION, Transition, Version
from server.version_states import MOVES, State
from server.version_store import VersionStore

KEEP_LAST = 5
"""Versions of a model that a collection leaves alone whatever they are."""


class VersionCatalog(VersionMoves):
    """Versions of all models. store: the database. root: the folder of the folders."""

    def __init__(self, store: Store, root: Path) -> None:
        super().__init__(VersionLedger(store, root))
        self._folders = VersionStore(root)
        self._intake = Intake(self._folders, self._ledger)
        self._collector = Collector(self._folders, self._ledger)

    # What there is.

    def models(self) -> list[str]:
        """Names of the models that have versions."""
        return sorted({each.model for each in self._ledger.versions()})

    def versions(self, model: str | None = None) -> list[Version]:
        """Of one model or of all, in the order they were published; removed ones are among them."""
        return self._ledger.versions(model)

    def get(self, model: str, version: str) -> Version:
        """Raises VersionNotFound."""
        return self._ledger.get(model, version)

    def live(self, model: str) -> Version | None:
        """What answers the users, by the catalog."""
        return self._in_state(model, State.LIVE)

    def canary(self, model: str) -> Version | None:
        """What answers a share of them."""
        return self._in_state(model, State.CANARY)

    def previous(self, model: str) -> Version | None:
        """What a roll-back restores; None when there is nothing."""
        previous = self._ledger.previous(model)
        return self._ledger.get(model, previous) if previous else None

    def lineage(self, model: str, version: str) -> list[Version]:
        """The version, its parent, and so on to the base; ends early at one that was never published."""
        known = {each.version: each for each in self._ledger.versions(model)}
        chain = [self._ledger.get(model, version)]
        while (parent := known.get(chain[-1].parent or BASE_VERSION)) and parent not in chain:
            chain.append(parent)
        return chain

    def history(self, model: str, version: str | None = None) -> list[Transition]:
        """Audited rows, oldest first. Raises HistoryBroken when their chain is not whole."""
        self._ledger.check_history(model)
        rows = self._ledger.history(model)
        if version is None:
            return rows
        self._ledger.get(model, version)
        return [row for row in rows if row.version == version]

    @contextmanager
    def hold(self, model: str, version: str) -> Iterator[Path]:
        """The folder, which nobody deletes while the block runs, even past this process's catalog.

        For an engine that loads it and an evaluation that reads it. Raises VersionNotFound.
        """
        found = self._ledger.get(model, version)
        if found.kind == "base":
            yield found.folder
            return
        with self._folders.held(self._folders.place_of(model, version)) as folder:
            yield folder

    # In and out.

    def adopt_base(self, model: str, folder: Path, *, actor: str) -> Version:
        """Make the folder that a model's engine starts from its version `0`, live at once.

        Nothing to do when it is already. Raises VersionRefused when another base is known.
        """
        return self._intake.adopt_base(model, folder, actor=actor)

    def publish(
        self,
        model: str,
        folder: Path,
        *,
        actor: str,
        reason: str = "published",
        version: str | None = None,
        parent: str | None = None,
        move: bool = False,
        progress: Progress = silent,
    ) -> Version:
        """Verify a trainer's folder and take it in; it is `verified` then, and whole, or not there.

        version, parent: what the manifest says, else the folder's name and the base. move: take the
        folder itself instead of a copy. The same folder under the same name again is the version it
        was. Raises VersionRefused for a folder that does not verify, VersionNotFound without a base,
        VersionError when the disk will not have it.
        """
        arrival = read_arrival(
            folder, model=model, version=version, parent=parent, actor=actor, reason=reason
        )
        return self._intake.publish(folder, arrival, move=move, progress=progress)

    def verify(self, model: str, version: str, *, actor: str) -> Version:
        """Read every byte again. What fails is rejected, where its state allows; raises VersionRefused."""
        found = self._ledger.get(model, version)
        try:
            with self.hold(model, version) as folder:
                if found.kind == "base":
                    _need_same_digest(found, digest_of(folder))
                    return found
                verified = check_version(
                    folder,
                    base=self._ledger.get(model, BASE_VERSION),
                    parent=self._known(model, found.parent or BASE_VERSION),
                )
                _need_same_digest(found, verified.digest)
        except VersionRefused as error:
            if State.REJECTED in MOVES[found.state]:
                self.advance(model, version, State.REJECTED, actor=actor, reason=str(error))
            raise
        return found

    def remove(self, model: str, version: str, *, actor: str, reason: str) -> Version:
        """Delete the folder; row and history stay. Returns what it was. Raises VersionInUse, IllegalMove."""
        return self._collector.remove(model, version, actor=actor, reason=reason)

    def collect(
        self,
        model: str | None = None,
        *,
        keep_last: int = KEEP_LAST,
        actor: str,
        is_dry_run: bool = False,
    ) -> Collection:
        """Remove all that need not stay: neither new, pinned, in use, previous, nor under an adapter."""
        models = [model] if model is not None else self.models()
        return self._collector.collect(
            models, keep_last=keep_last, actor=actor, is_dry_run=is_dry_run
        )

    def reconcile(self) -> list[str]:
        """Put catalog and folders in agreement; for the start of a server. One sentence a thing mended."""
        return reconcile(self._folders, self._ledger, self._intake)

    def _in_state(self, model: str, state: State) -> Version | None:
        return next((each for each in self.versions(model) if each.state is state), None)

    def _known(self, model: str, version: str) -> Version | None:
        return next((v for v in self.versions(model) if v.version == version), None)


def _need_same_digest(version: Version, digest: str) -> None:
    if digest != version.weights_digest:
        raise VersionRefused(
            f"{version.folder} has digest {digest[:12]}…, but was {version.weights_digest[:12]}… when it"
            f" became {version.name}: its files were changed; restore them"
        )
