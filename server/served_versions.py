"""Versions as served models: adapters that may answer users, and what a model's own name means."""

import time
from dataclasses import replace

from server.catalog import Catalog, ServedModel, adapter_name
from server.engine import LoadedWeights
from server.version_record import Version
from server.versions import Versions


def make_live(catalog: Catalog, served: ServedModel) -> None:
    """Let the model's name mean it. An engine that it leaves behind stays reachable as MODEL@VERSION."""
    public = served.parent or served.name
    old, old_live = catalog.find(public), catalog.live(public)
    catalog.set_other(adapter_name_of(served), None)
    if served.engine is not old.engine:
        catalog.set_other(adapter_name_of(old_live), old_live)
        for adapter in catalog.adapters(old):
            catalog.remove_adapter(adapter.name)
        catalog.set_engine(base_of(served))
        if served.parent:
            catalog.put_adapter(served)
    catalog.set_live(public, served if served.parent else None)


def base_of(served: ServedModel) -> ServedModel:
    """The model whose weights an adapter is on; itself for one that is none."""
    return served.base or served


def serving_adapter(model: ServedModel, version: Version) -> ServedModel:
    """An adapter that may answer users, on the model's engine."""
    name = adapter_name(model, version.version)
    return replace(
        model,
        name=name,
        aliases=(),
        root=str(version.folder),
        versions=Versions(name, loaded_as(version)),
        most_adapters=0,
        parent=model.name,
        base=model,
        created=int(time.time()),
    )


def add_serving_adapter(catalog: Catalog, model: ServedModel, version: Version) -> ServedModel:
    """The same, entered among the loaded ones."""
    adapter = serving_adapter(model, version)
    catalog.put_adapter(adapter)
    return adapter


def adapter_name_of(served: ServedModel) -> str:
    """MODEL@VERSION of what is served."""
    return f"{served.parent or served.name}@{served.versions.weights.version}"


def loaded_as(version: Version) -> LoadedWeights:
    """What an engine has loaded that has the version."""
    return LoadedWeights(
        version=version.version, folder=str(version.folder), digest=version.weights_digest
    )


def weights_of(full: Version) -> LoadedWeights | None:
    """What an engine has to load beyond what it starts from."""
    return None if full.kind == "base" else loaded_as(full)
