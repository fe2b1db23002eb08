"""Versions moved from state to state, each with an audited row; two at a time where one takes over.

Each method is one transaction that holds the model's head: two callers at once are one after the
other, and the second one is told what the first did.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from server.errors import IllegalMove, NoPreviousVersion, VersionConflict, VersionNotFound
from server.version_ledger import Change, VersionLedger
from server.version_record import Score, Version
from server.version_states import State

BY_PROMOTION = frozenset({State.LIVE, State.DRAINING})
"""States that are entered two versions at a time, by `promote` and `roll_back` alone."""


class VersionMoves:
    """All that changes a state, but for coming and going."""

    def __init__(self, ledger: VersionLedger) -> None:
        self._ledger = ledger

    def advance(
        self,
        model: str,
        version: str,
        to_state: State,
        *,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
        scores: Mapping[str, Score] | None = None,
    ) -> Version:
        """Move one version on, with what was found. scores: are added to those it has.

        An override of the gate is the gate's move under a person's name. Raises IllegalMove,
        VersionConflict for a second canary. `promote` and `roll_back` make live, `remove` removes.
        """
        with self._ledger.change(model) as change:
            found = change.get(version)
            if to_state in BY_PROMOTION or to_state is State.REMOVED:
                verb = "remove" if to_state is State.REMOVED else "promote"
                raise IllegalMove(
                    f"{found.name} cannot be moved to {to_state} alone: `codeloop versions remove`"
                    " deletes folders, a promotion or a roll-back moves two versions at once;"
                    f" {verb} it"
                )
            if to_state is State.CANARY:
                _need_no_other_canary(change, version)
            columns: dict[str, Any] = {}
            proof = dict(evidence or {})
            if scores:
                added = {name: asdict(score) for name, score in scores.items()}
                columns["scores"] = {k: asdict(v) for k, v in found.scores.items()} | added
                proof["scores"] = added
            change.move(found, to_state, actor=actor, reason=reason, evidence=proof, **columns)
        return self._ledger.get(model, version)

    def promote(
        self,
        model: str,
        version: str,
        *,
        replaces: str | None,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> Version:
        """Make it live, and what was live draining and the previous one.

        replaces: the version that the caller saw live when it decided, None for none. Raises
        VersionConflict when another is live by now or another is the canary, IllegalMove.
        """
        with self._ledger.change(model) as change:
            found, live = change.get(version), change.in_state(State.LIVE)
            if live and live.version == version:
                raise IllegalMove(f"{found.name} is live already: there is nothing to promote")
            _need_live(model, live, replaces)
            _need_no_other_canary(change, version)
            _need_folder(found)
            proof = {"replaces": replaces} | dict(evidence or {})
            _replace(change, found, live, actor, reason, proof, predecessor=replaces)
            change.previous = replaces
        return self._ledger.get(model, version)

    def roll_back(
        self,
        model: str,
        *,
        replaces: str | None,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> Version:
        """Make the previous version live again; what was live drains, to be rejected or retired.

        The previous one is then what the restored one had replaced, if that can be restored still.
        Raises NoPreviousVersion, VersionConflict when another than `replaces` is live by now.
        """
        with self._ledger.change(model) as change:
            live = change.in_state(State.LIVE)
            _need_live(model, live, replaces)
            if live is None or change.previous is None:
                raise NoPreviousVersion(
                    f"{model} has no previous version to roll back to: nothing was promoted over"
                    " another that is still here; promote one by name"
                )
            found = change.get(change.previous)
            _need_folder(found)
            proof = {"replaces": replaces} | dict(evidence or {})
            _replace(change, found, live, actor, reason, proof)
            change.previous = change.restorable_before(found, leave_out=live.version)
        return self._ledger.get(model, found.version)

    def pin(
        self, model: str, version: str, *, is_pinned: bool = True, actor: str, reason: str
    ) -> Version:
        """Keep it from being collected or removed, or no longer. Raises IllegalMove for a removed one."""
        with self._ledger.change(model) as change:
            found = change.get(version)
            if found.state is State.REMOVED:
                raise IllegalMove(f"{found.name} is removed: there is nothing to pin")
            if found.is_pinned != is_pinned:
                evidence = {"is_pinned": is_pinned}
                change.note(
                    found, actor=actor, reason=reason, evidence=evidence, is_pinned=is_pinned
                )
        return self._ledger.get(model, version)


def _replace(
    change: Change,
    found: Version,
    live: Version | None,
    actor: str,
    reason: str,
    evidence: Mapping[str, Any],
    **columns: object,
) -> None:
    """The old one first: the database holds that there is never more than one live."""
    if live is not None:
        change.move(live, State.DRAINING, actor=actor, reason=reason, evidence=evidence)
    change.move(found, State.LIVE, actor=actor, reason=reason, evidence=evidence, **columns)


def _need_live(model: str, live: Version | None, replaces: str | None) -> None:
    found = live.version if live else None
    if found != replaces:
        raise VersionConflict(
            f"the live version of {model} is {found or 'none'}, not {replaces or 'none'} as when this"
            " was decided: another promotion or roll-back was faster; look at `codeloop versions"
            f" history {model}` and decide again, nothing was changed"
        )


def _need_no_other_canary(change: Change, version: str) -> None:
    canary = change.in_state(State.CANARY)
    if canary and canary.version != version:
        raise VersionConflict(
            f"{canary.name} is the canary: one version is tried at a time; promote, withdraw or reject"
            " it first, nothing was changed"
        )


def _need_folder(version: Version) -> None:
    if not version.folder.is_dir():
        raise VersionNotFound(
            f"{version.folder}, the folder of {version.name}, is gone: promote another version, or"
            " restore the folder; nothing was changed"
        )
