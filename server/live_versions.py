"""What engines begin on: the live versions of the catalog, so that a promotion outlasts a restart.

What a dead server had half-way is brought to a state that it can be in without that server: what drained
is retired, a canary is withdrawn without a decision. A promotion that was under way either is in the
catalog, and then it is live, or it is not, and then nothing happened.
"""

import logging

from server.catalog import Catalog, ServedModel
from server.errors import VersionNotFound
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
    live = versions.live(model.name)
    if live is None or live.kind == "base":
        return
    _need_base(versions, model)
    if not live.folder.is_dir():
        raise VersionNotFound(
            f"{live.folder}, the folder of {live.name}, is gone, and it is live: restore the folder, or"
            f" `codeloop rollback {model.name} --offline`"
        )
    wanted = loadout(versions, live)
    if wanted.adapter and not model.most_adapters:
        raise VersionNotFound(
            f"{live.name} is an adapter and live, but the settings of {model.name} have no adapters:"
            f" set adapters, or `codeloop rollback {model.name} --offline`"
        )
    adapters = {live.name: live.folder} if wanted.adapter else {}
    model.engine.begin_on(weights_of(wanted.full), adapters)
    if wanted.full.kind != "base":
        model.versions.settle(loaded_as(wanted.full))
    if wanted.adapter:
        make_live(catalog, add_serving_adapter(catalog, model, wanted.adapter))
    log.info("%s begins on %s", model.name, live.name)


def _need_base(versions: VersionCatalog, model: ServedModel) -> None:
    base = versions.get(model.name, BASE_VERSION)
    folder = base.folder.__class__(model.root)
    if (folder / CONFIG).is_file() and folder.resolve() != base.folder.resolve():
        versions.adopt_base(model.name, folder, actor=ACTOR)
