"""`codeloop keys`: API keys, made, listed and revoked. A running server follows within seconds."""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from deploy.invocation import invocation
from server.keys import ApiKey, KeyRing
from server.metering import usage_by_key
from server.settings import LANES, SCOPES
from server.store import Store, utc_now

Word = TypeVar("Word", bound=str)

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")

SCOPE_HELP = f"What the key may do, repeatable: {', '.join(SCOPES)}."
LANE_HELP = f"Lanes it may use, repeatable, the default one first: {', '.join(LANES)}."


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose key it is, for people.")],
    scope: Annotated[
        list[str] | None, typer.Option(help=SCOPE_HELP, show_default="complete")
    ] = None,
    lane: Annotated[
        list[str] | None, typer.Option(help=LANE_HELP, show_default="chat, ide")
    ] = None,
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
    scopes = _choose("--scope", scope or ["complete"], SCOPES)
    lanes = _choose("--lane", lane or ["chat", "ide"], LANES)
    with _keys(ctx) as keys:
        secret, key = keys.create(name, scopes=scopes, lanes=lanes, expires_at=expires_at)
    if as_json:
        typer.echo(json.dumps({"key": secret, **_fields(key)}))
    else:
        typer.echo(secret)


@app.command("list")
def list_keys(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Show every key by its prefix, never the key itself.

    codeloop keys list
    """
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
    """End a key for good; a running server refuses it within two seconds.

    codeloop keys revoke abcd2345
    """
    with _keys(ctx) as keys:
        keys.revoke(prefix)
    typer.echo(f"revoked {prefix}")


@app.command()
def usage(
    ctx: typer.Context,
    days: Annotated[int, typer.Option(min=1, help="Days back from now.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """What each key used: requests, tokens, and how many were aborted or failed.

    codeloop keys usage --days 7
    """
    with _store(ctx) as store:
        totals = usage_by_key(store, since=utc_now() - dt.timedelta(days=days))
    if as_json:
        typer.echo(json.dumps(totals))
        return
    table = Table(
        "prefix", "name", "lane", "requests", "prompt", "cached", "completion", "not whole"
    )
    for total in totals:
        table.add_row(*(str(value) for value in total.values()))
    Console().print(table)


def _choose(option: str, asked: Sequence[str], known: Sequence[Word]) -> list[Word]:
    chosen = [word for name in asked for word in known if word == name]
    if len(chosen) < len(asked):
        unknown = next(name for name in asked if name not in known)
        raise typer.BadParameter(
            f"{unknown!r} is none of {', '.join(known)}", param_hint=f"'{option}'"
        )
    return chosen


@contextmanager
def _keys(ctx: typer.Context) -> Iterator[KeyRing]:
    with _store(ctx) as store:
        yield KeyRing(store)


@contextmanager
def _store(ctx: typer.Context) -> Iterator[Store]:
    home = invocation(ctx).settings.deploy.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    try:
        yield store
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
