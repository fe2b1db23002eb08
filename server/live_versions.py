"""What engines begin on: the live versions of the catalog, so that a promotion outlasts a restart.

A live version that is damaged or gone is never loaded: the start falls back to what was live before
it, as an audited roll-back, and says so. What a dead server had half-way is brought to a state that it
can be in without that server: what drained is retired, a canary is withdrawn without a decision. A
promotion that was under way either is in the catalog, and then it is live, or it is not, and then
nothing happened.
"""

import logging
from pathlib import Path

from server.catalog import Catalog, ServedModel
from server.errors import (
    NoPreviousVersion,
    VersionConflict,
    VersionError,
    VersionNotFound,
    VersionRefused,
)
from server.served_versions import add_serving_adapter, loaded_as, make_live, weights_of
from server.swap_plan import Loadout
from server.version_catalog import VersionCatalog
from server.version_record import BASE_VERSION, Version
from server.version_states import State
from server.weight_folder import CONFIG

log = logging.getLogger(__name__)

ACTOR = "server"


def loadout(versions: VersionCatalog, version: Version) -> Loadout:
    """What an engine needs: an adapter belongs to the nearest full version among its ancestors."""
    if version.kind != "adapter":
        return Loadout(full=version)
    chain = versions.lineage(version.model, version.version)
    full = next((each for each in chain if each.kind != "adapter"), None)
    return Loadout(full=full or versions.get(version.model, BASE_VERSION), adapter=version)


def begin_on_live_versions(catalog: Catalog, versions: VersionCatalog) -> None:
    """Before engines are started; blocks. Raises VersionRefused when a model's base is another now."""
    known = set(versions.models())
    if known:
        versions.reconcile()
    for model in catalog.models:
        if model.name in known and model.role == "serving":
            _settle(versions, model.name)
            _begin(catalog, versions, model)


def _settle(versions: VersionCatalog, model: str) -> None:
    for each in versions.versions(model):
        if each.state is State.DRAINING:
            reason = "the server that drained it has ended"
            versions.advance(model, each.version, State.RETIRED, actor=ACTOR, reason=reason)
        elif each.state is State.CANARY:
            reason = "withdrawn without a decision: the server was started again"
            versions.advance(model, each.version, State.GATED, actor=ACTOR, reason=reason)


def _begin(catalog: Catalog, versions: VersionCatalog, model: ServedModel) -> None:
    if versions.live(model.name) is None:
        return
    _need_base(versions, model)
    live = _whole_live(versions, model.name)
    if live is None or live.kind == "base":
        return
    wanted = loadout(versions, live)
    if wanted.adapter and not model.most_adapters:
        raise VersionNotFound(
            f"{live.name} is an adapter and live, but the settings of {model.name} have no adapters:"
            f" set adapters, or `codeloop rollback {model.name} --offline`"
        )
    adapters = {live.name: loaded_as(live)} if wanted.adapter else {}
    model.engine.begin_on(weights_of(wanted.full), adapters)
    if wanted.full.kind != "base":
        model.versions.settle(loaded_as(wanted.full))
    if wanted.adapter:
        make_live(catalog, add_serving_adapter(catalog, model, wanted.adapter))
    log.info("%s begins on %s", model.name, live.name)


def _need_base(versions: VersionCatalog, model: ServedModel) -> None:
    base = versions.get(model.name, BASE_VERSION)
    folder = Path(model.root)
    if (folder / CONFIG).is_file() and folder.resolve() != base.folder.resolve():
        versions.adopt_base(model.name, folder, actor=ACTOR)


def _whole_live(versions: VersionCatalog, model: str) -> Version | None:
    """The live version once every byte of it was read; a damaged one gives its place to the one before.

    Raises VersionError when there is none before, or the base or the disk keeps it from being known.
    """
    while (live := versions.live(model)) and live.kind != "base":
        damage = _damage(versions, live)
        if damage is None:
            break
        _fall_back(versions, live, damage)
    return live


def _damage(versions: VersionCatalog, live: Version) -> str | None:
    """What keeps it from being loaded: of itself, or of the weights that an adapter is on."""
    wanted = loadout(versions, live)
    for each in filter(None, (wanted.full, wanted.adapter)):
        if each.kind == "base":
            continue
        if not each.folder.parent.is_dir():
            raise VersionError(
                f"{each.folder}, the folder of {each.name}, is out of sight with all of"
                f" {each.folder.parent}: mount its disk, or `codeloop rollback {live.model} --offline`"
                " to begin on the version before"
            )
        try:
            versions.verify(each.model, each.version, actor=ACTOR)
        except (VersionRefused, VersionNotFound) as error:
            return str(error)
    return None


def _fall_back(versions: VersionCatalog, live: Version, damage: str) -> None:
    try:
        found = versions.roll_back(
            live.model,
            replaces=live.version,
            actor=ACTOR,
            reason=f"fell back: {live.name} cannot be loaded",
            evidence={"damage": damage},
        )
    except VersionConflict:
        return  # another server of this catalog was faster; what is live now is looked at next
    except NoPreviousVersion as error:
        raise VersionError(
            f"{live.name} is live and cannot be loaded ({damage}), and no version before it is left:"
            " restore its folder"
        ) from error
    versions.advance(live.model, live.version, State.REJECTED, actor=ACTOR, reason=damage)
    log.error("fell back to %s: %s is live no more, %s", found.name, live.name, damage)
