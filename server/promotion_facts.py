"""What a swap's plan and /v1/models need to know, gathered from engines and the catalog of versions."""

from collections.abc import Collection
from typing import Any

from server.catalog import Catalog, ServedModel
from server.protocol import Provenance
from server.served_versions import adapter_name_of
from server.swap_plan import Loadout, SwapFacts
from server.swap_report import SwapReport
from server.version_catalog import VersionCatalog
from server.version_record import Version
from server.version_states import State


def facts_for(
    catalog: Catalog,
    model: ServedModel,
    target: Loadout,
    *,
    live: str | None,
    draining: Collection[str],
) -> SwapFacts:
    """Blocks: it asks how much memory there is. live: by the catalog of versions."""
    version = target.version
    serving, foreign = [], []
    for adapter in catalog.adapters(model):
        weights = adapter.versions.weights
        is_target = (weights.version, weights.digest) == (version.version, version.weights_digest)
        if adapter.role == "serving" or is_target:
            serving.append(weights.version)
        else:
            foreign.append(adapter.name)
    held = {
        version
        for version in serving
        if version in draining or catalog.is_answering(f"{model.name}@{version}")
    }
    others = catalog.others(model.name).values()
    second = model.second
    return SwapFacts(
        target=target,
        live=live,
        engine_full=model.versions.weights.version,
        serving_adapters=frozenset(serving),
        held_adapters=frozenset(held),
        foreign_adapters=tuple(foreign),
        most_adapters=model.most_adapters,
        standing=frozenset(each.versions.weights.version for each in others),
        needed_bytes=second.needed_bytes if second else None,
        available_bytes=second.available_bytes() if second else 0,
        has_recorded_probes=bool(version.summary.get("probes")),
        probed_on=None,
    )


def same_weights(catalog: Catalog, model: ServedModel, version: Version) -> ServedModel | None:
    """Another model's engine that has the same weights: a sampler that the loop evaluated on."""
    for each in catalog.models:
        is_other = each.engine is not model.engine
        if is_other and each.versions.weights.digest == version.weights_digest:
            return each
    return None


def loaded_as_target(catalog: Catalog, model: ServedModel, version: Version) -> ServedModel | None:
    """What has the version loaded already, as it would answer users."""
    name = f"{model.name}@{version.version}"
    if other := catalog.others(model.name).get(name):
        return other
    if (canary := catalog.canary(model.name)) and adapter_name_of(canary.model) == name:
        return canary.model
    if adapter := catalog.adapter(name):
        return adapter
    return model if model.versions.weights.version == version.version else None


def provenance_of(versions: VersionCatalog) -> dict[str, Provenance]:
    """MODEL@VERSION → where it comes from and who made it live. Blocks."""
    found = {}
    for model in versions.models():
        previous = versions.previous(model)
        live_rows = {
            row.version: row for row in versions.history(model) if row.to_state is State.LIVE
        }
        for each in versions.versions(model):
            row = live_rows.get(each.version)
            found[each.name] = Provenance(
                state=each.state.value,
                parent=each.parent,
                run=each.run,
                step=each.step,
                scores={
                    suite: {
                        "value": score.value,
                        "low": score.low,
                        "high": score.high,
                        "num_problems": score.num_problems,
                    }
                    for suite, score in each.scores.items()
                },
                promoted_by=row.actor if row else None,
                promoted_at=row.at.isoformat() if row else None,
                previous=previous.version if previous and each.state is State.LIVE else None,
            )
    return found


def state_of(
    catalog: Catalog,
    model: str,
    *,
    draining: Collection[str],
    is_under_way: bool,
    report: SwapReport | None,
) -> dict[str, Any]:
    """A model's entry in GET /admin/promotions."""
    live, canary = catalog.live(model), catalog.canary(model)
    version = live.versions.weights.version
    provenance = catalog.provenance.get(f"{model}@{version}")
    return {
        "model": model,
        "live": version,
        "previous": provenance.previous if provenance else None,
        "canary": canary
        and {
            "version": canary.model.versions.weights.version,
            "share": canary.split.share,
            "keys": sorted(canary.split.key_prefixes),
            "comparison": canary.watch.as_data(),
        },
        "draining": sorted(draining),
        "is_under_way": is_under_way,
        "last_swap": report.as_data() if report else None,
    }
