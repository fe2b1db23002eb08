"""What has to stay, and the deleting of what has not.

A version is removed in the catalog first, under its model's head, where a promotion that was faster
is seen; then its folder gets a doomed name; then it is deleted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.errors import VersionError, VersionInUse
from server.version_ledger import VersionLedger
from server.version_record import BASE_VERSION, Version
from server.version_states import State
from server.version_store import VersionStore

IN_USE = {
    State.LIVE: "is live: promote another version first, or roll back",
    State.CANARY: "is the canary: promote, withdraw or reject it first",
    State.DRAINING: "is draining, answers may still be drawn from it: wait until it is retired",
}


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What a collection did. kept: `model@version` → why, of what has a folder still."""

    removed: tuple[str, ...]
    kept: Mapping[str, str]
    freed_bytes: int


def reasons_to_keep(
    versions: Sequence[Version], previous: str | None, *, keep_last: int | None
) -> dict[str, str]:
    """Version → why its folder has to stay. versions: one model's, in the order of publishing.

    keep_last: that many of the newest stay whatever they are; None asks on behalf of a person who
    removes one, and all others stay.
    An adapter needs the nearest full version among its ancestors, beside which it is loaded; the
    adapters in between it does not need.
    """
    here = [each for each in versions if each.state is not State.REMOVED]
    last = {each.version for each in here[-keep_last:]} if keep_last else set()
    reasons: dict[str, str] = {}
    for each in here:
        if each.kind == "base":
            reasons[each.version] = "is the base model: it belongs to the model store"
        elif each.state in IN_USE:
            reasons[each.version] = IN_USE[each.state]
        elif each.version == previous:
            reasons[each.version] = "is what a roll-back restores: promote another version first"
        elif each.is_pinned:
            reasons[each.version] = "is pinned: unpin it first"
        elif each.version in last:
            reasons[each.version] = f"is one of the last {keep_last}"
    by_name = {each.version: each for each in versions}
    staying = [each for each in here if keep_last is None or each.version in reasons]
    for each in staying:
        needed = _full_ancestor(each, by_name)
        if needed:
            reasons.setdefault(needed, f"is what the adapter {each.name} is loaded beside")
    return reasons


def _full_ancestor(version: Version, by_name: Mapping[str, Version]) -> str | None:
    seen = set()
    while version.kind == "adapter" and version.version not in seen:
        seen.add(version.version)
        parent = by_name.get(version.parent or BASE_VERSION)
        if parent is None:
            return None
        version = parent
    return version.version if seen and version.kind != "adapter" else None


class Collector:
    """Removes one version, or all that need not stay."""

    def __init__(self, store: VersionStore, ledger: VersionLedger) -> None:
        self._store = store
        self._ledger = ledger

    def remove(
        self, model: str, version: str, *, actor: str, reason: str, keep_last: int | None = None
    ) -> Version:
        """Remove one, unless it has to stay. Raises VersionInUse, VersionNotFound, IllegalMove."""
        found = self._ledger.get(model, version)
        if found.kind == "base":
            raise self._stays(found, reasons_to_keep([found], None, keep_last=None)[version])
        place = self._store.place_of(model, version)
        with self._store.alone(place):
            with self._ledger.change(model) as change:
                found = change.get(version)
                reasons = reasons_to_keep(change.versions(), change.previous, keep_last=keep_last)
                if version in reasons:
                    raise self._stays(found, reasons[version])
                change.move(found, State.REMOVED, actor=actor, reason=reason, evidence={})
            self._store.doom(place)
        return found

    def collect(
        self, models: Sequence[str], *, keep_last: int, actor: str, is_dry_run: bool
    ) -> Collection:
        """Remove what need not stay; what another process holds is kept and said so."""
        removed: list[Version] = []
        kept: dict[str, str] = {}
        for model in models:
            versions = self._ledger.versions(model)
            reasons = reasons_to_keep(versions, self._ledger.previous(model), keep_last=keep_last)
            for each in versions:
                if each.version in reasons:
                    kept[each.name] = reasons[each.version]
                elif each.state is not State.REMOVED:
                    why = None if is_dry_run else self._try(each, keep_last, actor)
                    if why is None:
                        removed.append(each)
                    else:
                        kept[each.name] = why
        return Collection(
            removed=tuple(each.name for each in removed),
            kept=kept,
            freed_bytes=sum(each.num_bytes for each in removed),
        )

    def _try(self, version: Version, keep_last: int, actor: str) -> str | None:
        reason = f"not one of the last {keep_last}, and nothing needs it"
        try:
            self.remove(
                version.model, version.version, actor=actor, reason=reason, keep_last=keep_last
            )
        except VersionInUse as error:
            return str(error)
        return None

    def _stays(self, version: Version, why: str) -> VersionError:
        return VersionInUse(f"{version.name} cannot be removed: it {why}")
