"""The rows of the versions: read freely, changed only under their model's head, with an audit row.

A change is one transaction that first takes the model's row of `version_heads`; a second writer
waits there, and then reads what the first one left. Calls block and belong in a thread.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from server.errors import HistoryBroken, VersionConflict, VersionError, VersionNotFound
from server.store import VERSION_HEADS, VERSION_TRANSITIONS, VERSIONS, Store, utc_now
from server.version_record import (
    FIRST_HASH,
    Transition,
    Version,
    canonical,
    transition_of,
    version_of,
)
from server.version_states import State, check_move

LONGEST_ACTOR = 200


class Change:
    """One model's versions inside a transaction; what it does takes effect at the end or not at all.

    previous: the version that a roll-back restores, else None. sequence, last_hash: of the newest
    audited row.
    """

    def __init__(self, connection: sa.Connection, model: str, root: Path) -> None:
        self._connection = connection
        self._model = model
        self._root = root
        head = connection.execute(
            sa.select(VERSION_HEADS).where(VERSION_HEADS.c.model == model)
        ).one()
        self.previous: str | None = head.previous
        self.sequence: int = head.sequence
        self.last_hash: str = head.last_hash

    def versions(self) -> list[Version]:
        """All of them, removed ones too, in the order they were published."""
        query = sa.select(VERSIONS).where(VERSIONS.c.model == self._model).order_by(VERSIONS.c.id)
        return [version_of(row, self._root) for row in self._connection.execute(query)]

    def get(self, version: str) -> Version:
        """Raises VersionNotFound."""
        found = [each for each in self.versions() if each.version == version]
        if not found:
            raise _unknown(self._model, version, self.versions())
        return found[0]

    def in_state(self, state: State) -> Version | None:
        """The one version in a state that only one may have."""
        return next((each for each in self.versions() if each.state is state), None)

    def history(self) -> list[Transition]:
        """Every audited row, oldest first."""
        return [transition_of(row) for row in self._connection.execute(_history_of(self._model))]

    def insert(self, version: Version, *, folder: str, actor: str, reason: str) -> None:
        """A new version in the state that it has. folder: as it is kept. Raises VersionConflict."""
        fields = {column.name: getattr(version, column.name, None) for column in VERSIONS.columns}
        del fields["id"]
        fields |= {"folder": folder, "state": version.state.value, "scores": {}}
        try:
            self._connection.execute(sa.insert(VERSIONS).values(**fields))
        except IntegrityError:
            raise VersionConflict(
                f"{version.name} was published by somebody else at the same moment: look at"
                " `codeloop versions list`; nothing was changed"
            ) from None
        self._record(version.version, None, version.state, actor, reason, {})

    def move(
        self,
        version: Version,
        to_state: State,
        *,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any],
        **columns: object,
    ) -> None:
        """Change the state, and further columns with it. Raises IllegalMove."""
        check_move(version.name, version.state, to_state)
        self._update(version.version, state=to_state.value, **columns)
        self._record(version.version, version.state, to_state, actor, reason, evidence)
        if self.previous == version.version and to_state in (State.REJECTED, State.REMOVED):
            live = self.in_state(State.LIVE)
            self.previous = self.restorable_before(version, leave_out=live.version if live else "")

    def restorable_before(self, version: Version, *, leave_out: str) -> str | None:
        """The nearest version that was live before it and can be again. leave_out: is not asked for."""
        seen = {version.version, leave_out}
        before = version.predecessor
        while before is not None and before not in seen:
            found = self.get(before)
            if found.state in (State.DRAINING, State.RETIRED):
                return before
            seen.add(before)
            before = found.predecessor
        return None

    def note(
        self,
        version: Version,
        *,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any],
        **columns: object,
    ) -> None:
        """Change columns of a version that stays where it is."""
        self._update(version.version, **columns)
        self._record(version.version, version.state, version.state, actor, reason, evidence)

    def close(self) -> None:
        """Write the head; the transaction's owner commits."""
        self._connection.execute(
            sa.update(VERSION_HEADS)
            .where(VERSION_HEADS.c.model == self._model)
            .values(previous=self.previous, sequence=self.sequence, last_hash=self.last_hash)
        )

    def _update(self, version: str, **columns: object) -> None:
        where = (VERSIONS.c.model == self._model, VERSIONS.c.version == version)
        self._connection.execute(sa.update(VERSIONS).where(*where).values(**columns))

    def _record(
        self,
        version: str,
        from_state: State | None,
        to_state: State,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any],
    ) -> None:
        _check_words(actor, reason)
        canonical(evidence)
        row = Transition(
            model=self._model,
            sequence=self.sequence + 1,
            version=version,
            from_state=from_state,
            to_state=to_state,
            actor=actor,
            reason=reason,
            evidence=evidence,
            at=utc_now(),
            previous_hash=self.last_hash,
            hash="",
        )
        row = replace(row, hash=row.computed_hash())
        fields = {column.name: getattr(row, column.name) for column in VERSION_TRANSITIONS.columns}
        fields |= {
            "from_state": from_state.value if from_state else None,
            "to_state": to_state.value,
        }
        self._connection.execute(sa.insert(VERSION_TRANSITIONS).values(**fields))
        self.sequence, self.last_hash = row.sequence, row.hash


class VersionLedger:
    """Versions and their history in a database. root: of the folders that are the catalog's own."""

    def __init__(self, store: Store, root: Path) -> None:
        self._store = store
        self._root = root

    @contextmanager
    def change(self, model: str, *, is_new: bool = False) -> Iterator[Change]:
        """Hold the model's head for the block. is_new: make it when it is not there.

        Raises VersionNotFound for a model without versions, StoreError.
        """
        with self._store.transaction() as connection:
            # An update, so that SQLite takes its write lock before anything is read.
            taken = connection.execute(
                sa.update(VERSION_HEADS)
                .where(VERSION_HEADS.c.model == model)
                .values(sequence=VERSION_HEADS.c.sequence)
            ).rowcount
            if not taken:
                if not is_new:
                    raise self._unknown_model(model)
                _insert_head(connection, model)
            change = Change(connection, model, self._root)
            yield change
            change.close()

    def versions(self, model: str | None = None) -> list[Version]:
        """Of one model or of all, removed ones too, in the order they were published."""
        query = sa.select(VERSIONS).order_by(VERSIONS.c.model, VERSIONS.c.id)
        if model is not None:
            query = query.where(VERSIONS.c.model == model)
        return [version_of(row, self._root) for row in self._store.rows(query)]

    def get(self, model: str, version: str) -> Version:
        """Raises VersionNotFound."""
        found = self.versions(model)
        for each in found:
            if each.version == version:
                return each
        raise _unknown(model, version, found) if found else self._unknown_model(model)

    def previous(self, model: str) -> str | None:
        """The version that a roll-back restores."""
        rows = self._store.rows(sa.select(VERSION_HEADS).where(VERSION_HEADS.c.model == model))
        return rows[0].previous if rows else None

    def history(self, model: str) -> list[Transition]:
        """Every audited row of a model, oldest first."""
        return [transition_of(row) for row in self._store.rows(_history_of(model))]

    def check_history(self, model: str) -> int:
        """Number of rows whose chain of hashes is whole. Raises HistoryBroken."""
        with self.change(model) as change:
            # Under the head, so that no row comes between the two reads.
            end, rows = (change.sequence, change.last_hash), change.history()
        expected = FIRST_HASH
        for number, row in enumerate(rows, start=1):
            if (row.sequence, row.previous_hash, row.hash) != (
                number,
                expected,
                row.computed_hash(),
            ):
                raise _broken(model, number)
            expected = row.hash
        if end != (len(rows), expected):
            raise _broken(model, len(rows) + 1)
        return len(rows)

    def _unknown_model(self, model: str) -> VersionNotFound:
        have = ", ".join(sorted({each.model for each in self.versions()})) or "none"
        return VersionNotFound(
            f"no versions of a model {model!r}: the catalog has models {have}; `codeloop versions"
            " publish` takes one in"
        )


def _history_of(model: str) -> sa.Select[tuple[object, ...]]:
    return (
        sa.select(VERSION_TRANSITIONS)
        .where(VERSION_TRANSITIONS.c.model == model)
        .order_by(VERSION_TRANSITIONS.c.sequence)
    )


def _insert_head(connection: sa.Connection, model: str) -> None:
    head = {"model": model, "previous": None, "sequence": 0, "last_hash": FIRST_HASH}
    try:
        connection.execute(sa.insert(VERSION_HEADS).values(**head))
    except IntegrityError:
        raise VersionConflict(
            f"the first version of {model} was published by somebody else at the same moment: try"
            " again; nothing was changed"
        ) from None


def _unknown(model: str, version: str, have: list[Version]) -> VersionNotFound:
    names = ", ".join(each.version for each in have if each.state is not State.REMOVED) or "none"
    return VersionNotFound(f"no version {version!r} of {model}: the catalog has {names}")


def _broken(model: str, number: int) -> HistoryBroken:
    return HistoryBroken(
        f"the history of {model} is broken at row {number}: a row was changed, added or taken out"
        " past codeloop; restore the database from its backup, and find out who wrote to it"
    )


def _check_words(actor: str, reason: str) -> None:
    for what, text in (("actor", actor), ("reason", reason)):
        if not text.strip() or not text.replace("\n", " ").isprintable():
            raise VersionError(f"the {what} is {text!r}: say in words who acts and why")
    if len(actor) > LONGEST_ACTOR:
        raise VersionError(f"the actor has {len(actor)} letters: at most {LONGEST_ACTOR}")
