"""`codeloop versions`: published versions taken in, listed, shown, verified, pinned and removed."""

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.invocation import invocation
from deploy.versions_tables import (
    collection_fields,
    history_table,
    transition_fields,
    version_fields,
    version_table,
    versions_table,
)
from server.errors import VersionNotFound
from server.model_store import ModelStore
from server.settings import ModelSettings
from server.store import Store
from server.version_catalog import KEEP_LAST, VersionCatalog
from server.version_manifest import read_version_manifest
from server.version_record import BASE_VERSION
from server.version_states import State

app = typer.Typer(
    no_args_is_help=True, help="Take in, list, verify, pin, remove published versions."
)

NameArgument = Annotated[
    str, typer.Argument(metavar="MODEL@VERSION", help="A name of `codeloop versions list`.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the history.")]


@app.command()
def publish(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="The name that clients send as `model`.")],
    folder: Annotated[Path, typer.Argument(help="What the trainer wrote, with its manifest.json.")],
    version: Annotated[
        str | None, typer.Option(help="Its name; else the manifest's, else the folder's.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option(help="The version it was trained from; else the manifest's.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="A stored model or a folder: what the engine starts from. Asked for once, where"
            " neither the settings nor the manifest tell."
        ),
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="Take the folder itself instead of a copy.")
    ] = False,
    reason: ReasonOption = "published on the command line",
    as_json: JsonOption = False,
) -> None:
    """Verify a trainer's folder and take it into the catalog, whole or not at all.

    codeloop versions publish smollm2-135m runs/a/versions/000012

    codeloop versions publish policy ./checkpoint --version a-12 --base smollm2-135m
    """
    console = Console(stderr=True)
    with _catalog(ctx) as catalog:
        _need_base(ctx, catalog, model, folder, base)
        taken = catalog.publish(
            model,
            folder,
            version=version,
            parent=parent,
            move=move,
            actor=_actor(),
            reason=reason,
            progress=lambda step: console.print(step, highlight=False, soft_wrap=True),
        )
    if as_json:
        typer.echo(json.dumps(version_fields(taken)))
    else:
        typer.echo(f"{taken.name} is {taken.state}, in {taken.folder}")


@app.command("list")
def list_versions(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only of this model.")] = None,
    with_removed: Annotated[
        bool, typer.Option("--all", help="Removed ones too: their history stays.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the versions, their states and scores.

    codeloop versions list
    """
    with _catalog(ctx) as catalog:
        found = [
            each
            for each in catalog.versions(model)
            if with_removed or each.state is not State.REMOVED
        ]
        if model is not None and not found:
            catalog.get(model, BASE_VERSION)
        previous = {each: catalog.previous(each) for each in {each.model for each in found}}
    names = {version.name for version in previous.values() if version}
    if as_json:
        typer.echo(
            json.dumps(
                [version_fields(each) | {"is_previous": each.name in names} for each in found]
            )
        )
    else:
        Console().print(versions_table(found, names))


@app.command()
def show(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Tell all of one version: parents, recipe, data, scores, who moved it when.

    codeloop versions show smollm2-135m@000012
    """
    with _catalog(ctx) as catalog:
        model, version = _parse(name)
        found = catalog.get(model, version)
        lineage = catalog.lineage(model, version)
        history = catalog.history(model, version)
        previous = catalog.previous(model)
    is_previous = previous is not None and previous.version == version
    if as_json:
        extra = {
            "is_previous": is_previous,
            "lineage": [each.name for each in lineage],
            "history": [transition_fields(row) for row in history],
        }
        typer.echo(json.dumps(version_fields(found) | extra))
        return
    Console().print(version_table(found, lineage, is_previous=is_previous))
    Console().print(history_table(history))


@app.command()
def verify(ctx: typer.Context, name: NameArgument) -> None:
    """Read every byte again; what fails is rejected, and the exit code is 1.

    codeloop versions verify smollm2-135m@000012
    """
    with _catalog(ctx) as catalog:
        found = catalog.verify(*_parse(name), actor=_actor())
    typer.echo(f"{found.name} is whole")


@app.command()
def pin(
    ctx: typer.Context, name: NameArgument, reason: ReasonOption = "pinned by a person"
) -> None:
    """Keep a version from being collected or removed.

    codeloop versions pin smollm2-135m@000012 --reason "the paper's"
    """
    with _catalog(ctx) as catalog:
        catalog.pin(*_parse(name), actor=_actor(), reason=reason)
    typer.echo(f"pinned {name}")


@app.command()
def unpin(
    ctx: typer.Context, name: NameArgument, reason: ReasonOption = "unpinned by a person"
) -> None:
    """Let a pinned version go the way of the others.

    codeloop versions unpin smollm2-135m@000012
    """
    with _catalog(ctx) as catalog:
        catalog.pin(*_parse(name), is_pinned=False, actor=_actor(), reason=reason)
    typer.echo(f"unpinned {name}")


@app.command()
def remove(
    ctx: typer.Context, name: NameArgument, reason: ReasonOption = "removed by a person"
) -> None:
    """Delete a version's folder; its history stays, and its name is not given again.

    codeloop versions remove smollm2-135m@000012
    """
    with _catalog(ctx) as catalog:
        catalog.remove(*_parse(name), actor=_actor(), reason=reason)
    typer.echo(f"removed {name}")


@app.command()
def collect(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only of this model.")] = None,
    keep: Annotated[int, typer.Option(min=0, help="So many of the newest stay.")] = KEEP_LAST,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would go; delete nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put catalog and folders in agreement, then delete what need not stay.

    What is live, canary, draining, previous, pinned, under an adapter or being read stays.

    codeloop versions collect --keep 3 --dry-run
    """
    with _catalog(ctx) as catalog:
        mended = [] if dry_run else catalog.reconcile()
        done = catalog.collect(model, keep_last=keep, actor=_actor(), is_dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(collection_fields(done) | {"mended": mended}))
        return
    for name in done.removed:
        typer.echo(f"{'would remove' if dry_run else 'removed'} {name}")
    for name, why in done.kept.items():
        typer.echo(f"kept {name}: it {why}" if not why.startswith(name) else f"kept {why}")
    typer.echo(f"{done.freed_bytes / 2**20:.1f} MiB {'would be ' if dry_run else ''}freed")


@app.command()
def history(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="A model, or one version of it.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Show who moved what where, when and why; fails when a row was changed past codeloop.

    codeloop versions history smollm2-135m
    """
    model, version = _parse(name) if "@" in name else (name, None)
    with _catalog(ctx) as catalog:
        rows = catalog.history(model, version)
    if as_json:
        typer.echo(json.dumps([transition_fields(row) for row in rows]))
    else:
        Console().print(history_table(rows))


def _need_base(
    ctx: typer.Context, catalog: VersionCatalog, model: str, folder: Path, base: str | None
) -> None:
    """Make sure that the catalog knows what the model's engine starts from."""
    if base is None:
        with suppress(VersionNotFound):
            catalog.get(model, BASE_VERSION)
            return
        base = _configured(ctx, model) or read_version_manifest(folder).training.base or model
    home = invocation(ctx).settings.deploy.home
    found = ModelStore(home / "models").resolve(base, pull=False)
    catalog.adopt_base(model, found, actor=_actor())


def _configured(ctx: typer.Context, model: str) -> str | None:
    """What the settings serve under that name."""
    served: tuple[ModelSettings, ...] = invocation(ctx).settings.server.models
    return next((each.source or each.name for each in served if each.name == model), None)


def _parse(name: str) -> tuple[str, str]:
    model, at, version = name.rpartition("@")
    if not at or not model or not version:
        raise typer.BadParameter(f"{name!r} is not MODEL@VERSION", param_hint="'MODEL@VERSION'")
    return model, version


def _actor() -> str:
    """The user of this machine who runs the command."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


@contextmanager
def _catalog(ctx: typer.Context) -> Iterator[VersionCatalog]:
    home = invocation(ctx).settings.deploy.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    try:
        yield VersionCatalog(store, home / "versions")
    finally:
        store.close()
