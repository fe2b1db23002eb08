"""A version on its way in: verified, copied or moved to its place, written into the catalog.

The folder is at its place before its row is there; a process that dies between the two leaves a
folder that `version_reconcile` takes in.
"""

import hashlib
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from server.errors import ModelCorrupt, ModelError, VersionError, VersionNotFound, VersionRefused
from server.model_folder import check_folder
from server.model_manifest import NAME as MANIFEST
from server.model_manifest import read_manifest, sha256
from server.store import utc_now
from server.tokenizer_file import NAME as TOKENIZER
from server.transfer import Progress
from server.version_check import check_listing, check_version
from server.version_ledger import VersionLedger
from server.version_manifest import VersionManifest
from server.version_record import BASE_VERSION, Version
from server.version_states import State
from server.version_store import VersionStore, make_durable
from server.weight_folder import VerifiedFolder

VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NOT_AGAIN = frozenset({State.REJECTED, State.REMOVED})


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A folder that is to become a version. parent: None is the base model."""

    model: str
    version: str
    parent: str | None
    manifest: VersionManifest
    actor: str
    reason: str

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"


class Intake:
    """The one way into the catalog and its folders."""

    def __init__(self, store: VersionStore, ledger: VersionLedger) -> None:
        self._store = store
        self._ledger = ledger

    def publish(self, folder: Path, arrival: Arrival, *, move: bool, progress: Progress) -> Version:
        """Verify and take in. The same folder under the same name again is the version it was.

        Raises VersionRefused, VersionNotFound for a model without a base, VersionError for the disk.
        """
        self._store.place_of(arrival.model, arrival.version)
        if known := self._known(arrival):
            return known
        if move and self._can_move(folder):
            verified = self._check(folder, arrival, progress)
            make_durable(folder)
            return self._enter(folder, arrival, verified)
        names = [*arrival.manifest.files, MANIFEST]
        with self._store.copied(folder, names, progress) as copy:
            try:
                verified = self._check(copy, arrival, progress)
            except VersionRefused as error:
                # The copy is gone when this is read.
                raise VersionRefused(str(error).replace(str(copy), str(folder))) from error
            version = self._enter(copy, arrival, verified)
        if move:
            shutil.rmtree(folder, ignore_errors=True)
        return version

    def adopt(self, model: str, version: str, *, actor: str) -> Version:
        """Take in a folder that is at its place without a row. Raises VersionRefused."""
        place = self._store.place_of(model, version)
        folder = self._store.root / place
        arrival = read_arrival(
            folder,
            model=model,
            version=version,
            actor=actor,
            reason="it was at its place and whole, but not in the catalog",
        )
        verified = check_version(folder, **self._relatives(arrival))
        with self._store.locked():
            return self._known(arrival) or self._insert(arrival, verified, place)

    def adopt_base(self, model: str, folder: Path, *, actor: str) -> Version:
        """Make a model's folder its version `0`, live at once; it stays where it is.

        The same files from another place are noted. Raises VersionRefused when they are others.
        """
        self._store.place_of(model, BASE_VERSION)
        base = _base(model, folder.resolve())
        with self._ledger.change(model, is_new=True) as change:
            known = next((v for v in change.versions() if v.version == BASE_VERSION), None)
            if known is None:
                reason = "the model that its engine starts from"
                change.insert(base, folder=str(base.folder), actor=actor, reason=reason)
            elif known.weights_digest != base.weights_digest:
                raise VersionRefused(
                    f"{base.folder} is not the base of {model}, which is {known.folder} with digest"
                    f" {known.weights_digest[:12]}…: versions are made for one base; give the new one"
                    " a model name of its own"
                )
            elif known.folder != base.folder:
                change.note(
                    known,
                    actor=actor,
                    reason="the base lies elsewhere now",
                    evidence={"folder": str(base.folder)},
                    folder=str(base.folder),
                )
        return self._ledger.get(model, BASE_VERSION)

    def _known(self, arrival: Arrival) -> Version | None:
        """The version that it is already. Raises VersionRefused when the name means another."""
        try:
            known = self._ledger.get(arrival.model, arrival.version)
        except VersionNotFound:
            return None
        if known.weights_digest == arrival.manifest.digest and known.state not in NOT_AGAIN:
            return known
        raise VersionRefused(
            f"{arrival.name} is {known.state} with digest {known.weights_digest[:12]}…, and this folder"
            f" has {arrival.manifest.digest[:12]}…: a name keeps its meaning; publish under another"
        )

    def _check(self, folder: Path, arrival: Arrival, progress: Progress) -> VerifiedFolder:
        progress("verifying")
        return check_version(folder, **self._relatives(arrival))

    def _relatives(self, arrival: Arrival) -> dict[str, Any]:
        """The base, and the parent if the catalog knows it: a trainer need not publish every step."""
        try:
            base = self._ledger.get(arrival.model, BASE_VERSION)
        except VersionNotFound as error:
            raise VersionNotFound(
                f"{arrival.model} has no base model in the catalog: versions are compared with it; name"
                " it with `codeloop versions publish --base`"
            ) from error
        parent = None
        with suppress(VersionNotFound):
            parent = self._ledger.get(arrival.model, arrival.parent or BASE_VERSION)
        return {"base": base, "parent": parent}

    def _can_move(self, folder: Path) -> bool:
        with self._store.locked():
            return folder.stat().st_dev == self._store.root.stat().st_dev

    def _enter(self, folder: Path, arrival: Arrival, verified: VerifiedFolder) -> Version:
        place = self._store.place_of(arrival.model, arrival.version)
        with self._store.locked():
            if known := self._known(arrival):
                return known
            if not verified.is_unchanged():
                raise VersionRefused(
                    f"{folder} was changed while it was verified: publish it when nothing writes there"
                )
            self._store.place(folder, place)
            try:
                return self._insert(arrival, verified, place)
            except BaseException:
                (self._store.root / place).rename(folder)
                raise

    def _insert(self, arrival: Arrival, verified: VerifiedFolder, place: str) -> Version:
        version = _version(arrival, self._store.root / place)
        evidence = {
            "weights_digest": verified.digest,
            "num_files": len(arrival.manifest.files),
            "num_tensors": len(arrival.manifest.tensors),
            "num_bytes": version.num_bytes,
            "seconds": round(verified.seconds, 3),
        }
        with self._ledger.change(arrival.model) as change:
            change.insert(version, folder=place, actor=arrival.actor, reason=arrival.reason)
            change.move(
                version,
                State.VERIFIED,
                actor=arrival.actor,
                reason="every file, tensor and number is as its manifest, base and parent say",
                evidence=evidence,
            )
        return replace(version, state=State.VERIFIED)


def read_arrival(
    folder: Path,
    *,
    model: str,
    actor: str,
    reason: str,
    version: str | None = None,
    parent: str | None = None,
) -> Arrival:
    """What a folder is to become; names that are not given come from its manifest, else its own.

    Raises VersionRefused for a folder whose listing is not its manifest's, or that has no usable name.
    """
    if not folder.is_dir():
        raise VersionRefused(f"{folder} is no folder: give the one that the trainer published")
    manifest = check_listing(folder)
    name = version or manifest.training.version or folder.name
    if not VERSION_NAME.fullmatch(name):
        raise VersionRefused(
            f"{folder} would be version {name!r}: 1 to 64 letters, digits, '.', '_', '-', a letter or"
            " digit first; name it with --version"
        )
    parent = parent or manifest.training.parent
    return Arrival(
        model=model,
        version=name,
        parent=None if parent == BASE_VERSION else parent,
        manifest=manifest,
        actor=actor,
        reason=reason,
    )


def digest_of(folder: Path) -> str:
    """One hash of all files of a model's folder, from its manifest where it has one of ours."""
    with suppress(ModelCorrupt):
        return read_manifest(folder).digest
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(f"{path.relative_to(folder)}\0{sha256(path)}\n".encode())
    return whole.hexdigest()


def _version(arrival: Arrival, folder: Path) -> Version:
    manifest, training = arrival.manifest, arrival.manifest.training
    return Version(
        model=arrival.model,
        version=arrival.version,
        parent=arrival.parent,
        base_model=training.base,
        kind=manifest.kind,
        folder=folder,
        weights_digest=manifest.digest,
        tokenizer_digest=manifest.tokenizer_sha256,
        num_bytes=sum(file.num_bytes for file in manifest.files.values()),
        run=training.run,
        step=training.step,
        recipe_digest=training.recipe_sha256,
        dataset_digests=dict(training.dataset_sha256s),
        summary=dict(training.summary),
        scores={},
        is_pinned=False,
        state=State.STAGED,
        predecessor=None,
        created_at=utc_now(),
    )


def _base(model: str, folder: Path) -> Version:
    try:
        facts = check_folder(folder)
        digest = digest_of(folder)
        tokenizer = folder / TOKENIZER
        tokenizer_digest = sha256(tokenizer) if tokenizer.is_file() else None
    except (ModelError, OSError) as error:
        raise VersionError(f"{folder} cannot be the base of {model}: {error}") from error
    empty: Mapping[str, Any] = {}
    return Version(
        model=model,
        version=BASE_VERSION,
        parent=None,
        base_model=str(folder),
        kind="base",
        folder=folder,
        weights_digest=digest,
        tokenizer_digest=tokenizer_digest,
        num_bytes=facts.weights_bytes,
        run=None,
        step=None,
        recipe_digest=None,
        dataset_digests=empty,
        summary=empty,
        scores={},
        is_pinned=False,
        state=State.LIVE,
        predecessor=None,
        created_at=utc_now(),
    )
