"""`codeloop promote` and `codeloop rollback`: a running server's versions made live and taken back."""

import asyncio
import getpass
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import aiohttp
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.errors import PromotionError

URL = "http://127.0.0.1:8000/v1"
LONGEST_SECONDS = 3600.0
"""A large model takes minutes to start a second engine."""

UrlOption = Annotated[str, typer.Option(help="Address of the server's API.")]
KeyOption = Annotated[
    str,
    typer.Option(envvar="CODELOOP_KEY", help="A key with the scope `admin`.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def promote(
    version: Annotated[
        str,
        typer.Argument(metavar="VERSION", help="VERSION of the default model, or MODEL@VERSION."),
    ],
    canary: Annotated[
        str,
        typer.Option(
            metavar="SHARE",
            help="Try it on this share of users' requests first, as 5%.",
            show_default=False,
        ),
    ] = "",
    canary_key: Annotated[
        list[str] | None,
        typer.Option(metavar="PREFIX", help="Try it on all requests of this key; repeatable."),
    ] = None,
    canary_requests: Annotated[
        int, typer.Option(min=1, help="Answers of the canary after which it is decided.")
    ] = 50,
    gate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Give this verdict of `codeloop eval gate --out` first."),
    ] = None,
    way: Annotated[
        Literal["auto", "adapter", "blue_green", "in_place"],
        typer.Option(help="Else the plan chooses the best that is possible."),
    ] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which way it would go, and why; touch nothing.")
    ] = False,
    override: Annotated[
        bool, typer.Option("--override", help="Go past the gate; needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, for the history.", show_default=False)] = "",
    url: UrlOption = URL,
    key: KeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a version live on a running server, without a failed request.

    It has to have passed the gate. Whatever fails on the way leaves the version before answering.

    codeloop promote 000012 --dry-run

    codeloop promote smollm2-135m@000012 --gate verdict.json --canary 5%

    codeloop promote 000012 --override --reason "the gate's suite is broken"
    """
    body: dict[str, Any] = {"version": version, "way": way, "dry_run": dry_run}
    body |= {"override": override, "canary_requests": canary_requests}
    if canary:
        body["canary"] = _share(canary)
    if canary_key:
        body["canary_keys"] = canary_key
    if reason:
        body["reason"] = reason
    if gate is not None:
        named = version if "@" in version else f"{_default_model(url, key)}@{version}"
        told = _call(url, key, f"/admin/versions/{named}/gate", _read(gate))
        typer.echo(f"{told['name']} is {told['state']}: the gate's answer is {told['answer']}")
        if told["answer"] != "passed":
            raise typer.Exit(1)
    _show(_call(url, key, "/admin/promotions", body), as_json=as_json)


def rollback(
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="A served model; else the server's first.")
    ] = None,
    canary: Annotated[bool, typer.Option("--canary", help="Withdraw the canary instead.")] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="For a server that cannot start on its live version: move it in the catalog alone.",
        ),
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "asked for",
    url: UrlOption = URL,
    key: KeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let the version that was live before answer again.

    codeloop rollback --reason "users complain"

    codeloop rollback policy --offline
    """
    if offline:
        typer.echo(_roll_back_offline(ctx, model, reason))
        return
    body: dict[str, Any] = {"canary": canary, "reason": reason}
    if model:
        body["model"] = model
    _show(_call(url, key, "/admin/rollback", body), as_json=as_json)


def _roll_back_offline(ctx: typer.Context, model: str | None, reason: str) -> str:
    """Change what the next start of the server begins on. Raises VersionError."""
    from deploy.invocation import invocation
    from server.store import Store
    from server.version_catalog import VersionCatalog

    if model is None:
        raise typer.BadParameter(
            "name the model whose live version is to change", param_hint="MODEL"
        )
    home = invocation(ctx).settings.deploy.home
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    try:
        catalog = VersionCatalog(store, home / "versions")
        live = catalog.live(model)
        found = catalog.roll_back(
            model,
            replaces=live.version if live else None,
            actor=getpass.getuser(),
            reason=reason,
        )
    finally:
        store.close()
    return f"{found.name} is live when the server starts the next time"


def _share(text: str) -> float:
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise typer.BadParameter(f"{text!r} is no share: as 5%, or 0.05", param_hint="--canary")
    return share


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PromotionError(
            f"{path} is no verdict ({error}): write one with `codeloop eval gate --out`"
        ) from error


def _default_model(url: str, key: str) -> str:
    return str(_call(url, key, "/v1/models", None)["data"][0]["id"])


def _call(url: str, key: str, path: str, body: Any) -> Any:
    return asyncio.run(_send(url.rstrip("/").removesuffix("/v1") + path, key, body))


async def _send(address: str, key: str, body: Any) -> Any:
    """POST, or GET for None. Raises PromotionError with the server's own words."""
    timeout = aiohttp.ClientTimeout(total=LONGEST_SECONDS, sock_connect=10)
    headers = {"authorization": f"Bearer {key}"}
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            session.request("GET" if body is None else "POST", address, json=body) as answer,
        ):
            content = await answer.json(content_type=None)
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
        raise PromotionError(
            f"{address} does not answer as a codeloop server ({error!r}): is `codeloop serve` running,"
            " and is --url its address?"
        ) from error
    if answer.status != 200:
        message = (content or {}).get("error", {}).get("message") or content
        raise PromotionError(f"{message} (status {answer.status})")
    return content


def _show(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found))
        return
    plan, report = found.get("plan"), found.get("report")
    if plan is None:
        typer.echo(f"the canary of {found['model']} is withdrawn")
        return
    console = Console()
    console.print(_plan_table(plan))
    if report is not None:
        console.print(_report_table(report))


def _plan_table(plan: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, box=None)
    way = plan["way"] + (f", answers under way {plan['under_way']}" if plan["under_way"] else "")
    table.add_row("version", escape(f"{plan['model']}@{plan['version']}"))
    table.add_row("replaces", plan["replaces"] or "none")
    table.add_row("way", way)
    table.add_row("why", escape("\n".join(plan["reasons"])))
    steps = [f"{number}. {step}" for number, step in enumerate(plan["steps"], 1)]
    table.add_row("steps", escape("\n".join(steps)))
    return table


def _report_table(report: Mapping[str, Any]) -> Table:
    probe = report["probe"]
    compared = f"{probe['num_generated']} tokens generated"
    if probe["num_compared"]:
        compared += f"; log-probs of {probe['num_compared']} differ by {probe['max_difference']:.3g} at most"
    rows = {
        "pause": f"{1000 * report['pause_seconds']:.0f} ms",
        "in all": f"{report['total_seconds']:.2f} s, of it {report['verify_seconds']:.2f} s verifying",
        "bytes": f"{report['num_bytes']:,}",
        "weights digest": report["weights_digest"] or "of the model itself",
        "probe": compared,
        "under way": f"{report['num_under_way']} requests"
        + ("" if report["requests"] is not None else "; GET /admin/promotions tells how they end"),
    }
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, escape(str(value)))
    return table
