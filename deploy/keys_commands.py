"""`codeloop keys`: API keys, made, listed and revoked. A running server follows within seconds."""

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.invocation import invocation
from server.keys import ApiKey, KeyRing
from server.settings import LANES, SCOPES, Lane, Scope
from server.store import Store, utc_now

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")

SCOPE_HELP = f"What the key may do, repeatable: {', '.join(SCOPES)}."
LANE_HELP = f"Lanes it may use, repeatable, the default one first: {', '.join(LANES)}."


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose key it is, for people.")],
    scope: Annotated[list[Scope], typer.Option(help=SCOPE_HELP)] = ["complete"],  # noqa: B006
    lane: Annotated[list[Lane], typer.Option(help=LANE_HELP)] = ["chat", "ide"],  # noqa: B006
    days: Annotated[
        int | None, typer.Option(min=1, help="Days until it ends; without, it does not.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Make a key and print it, this one time; only its hash is kept.

    codeloop keys create alice

    codeloop keys create nightly --scope evaluate --lane eval --days 90
    """
    expires_at = utc_now() + dt.timedelta(days=days) if days else None
    with _keys(ctx) as keys:
        secret, key = keys.create(name, scopes=scope, lanes=lane, expires_at=expires_at)
    if as_json:
        typer.echo(json.dumps({"key": secret, **_fields(key)}))
    else:
        typer.echo(secret)


@app.command("list")
def list_keys(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Show every key by its prefix, never the key itself."""
    with _keys(ctx) as keys:
        found = keys.all()
    if as_json:
        typer.echo(json.dumps([_fields(key) for key in found]))
        return
    table = Table("prefix", "name", "state", "scopes", "lanes", "created", "ends")
    for key in found:
        fields = _fields(key)
        table.add_row(
            key.prefix,
            key.name,
            str(fields["state"]),
            " ".join(sorted(key.scopes)),
            " ".join(key.lanes),
            f"{key.created_at:%Y-%m-%d}",
            f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never",
        )
    Console().print(table)


@app.command()
def revoke(
    ctx: typer.Context,
    prefix: Annotated[str, typer.Argument(help="The eight letters after `cl-`, or the whole key.")],
) -> None:
    """End a key for good; a running server refuses it within two seconds."""
    with _keys(ctx) as keys:
        keys.revoke(prefix)
    typer.echo(f"revoked {prefix}")


@contextmanager
def _keys(ctx: typer.Context) -> Iterator[KeyRing]:
    home = invocation(ctx).settings.deploy.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    try:
        yield KeyRing(store)
    finally:
        store.close()


def _fields(key: ApiKey) -> dict[str, object]:
    now = utc_now()
    state = "valid" if key.is_valid(now) else "revoked" if key.revoked_at else "expired"
    return {
        "prefix": key.prefix,
        "name": key.name,
        "state": state,
        "scopes": sorted(key.scopes),
        "lanes": list(key.lanes),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }
