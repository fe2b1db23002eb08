"""`codeloop loop`: serve, train on spare capacity, judge what was learned, and let it answer the users."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from deploy.invocation import invocation

UNREACHED, INTERRUPTED_CODE = 3, 130


def loop(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="RUN.toml", help="What is trained, judged and promoted.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="The loop's folder; else HOME/loops/NAME."),
    ] = None,
    page: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Serve a status page there; 0 takes a free port."),
    ] = None,
) -> None:
    """Serve, train on spare capacity, judge what was learned, and let it answer the users.

    Starting it again goes on where it was, whatever ended it. Ctrl-C lets answers under way end.

    Exit code: 0 done, 1 failed, 3 the goal of the file was not reached, 130 interrupted (go on with
    the same command).

    codeloop loop run.toml --page 8090
    """
    from rich.console import Console

    from deploy.loop.comparison import gain_table, shortfalls, swaps_table
    from deploy.loop.loop import INTERRUPTED, Place, run_loop
    from deploy.loop.settings import check_models, read_loop

    call = invocation(ctx)
    settings = read_loop(file)
    check_models(settings, call.settings.server)
    home = call.settings.deploy.home.absolute()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = Place(
        file=file.absolute(),
        folder=(out or home / "loops" / settings.name).absolute(),
        home=home,
        config=None if call.config_path is None else call.config_path.absolute(),
    )
    console = Console()
    ended = asyncio.run(
        run_loop(settings, call.settings.server, place, console=console, page_port=page)
    )
    if any(one.promoted for one in ended.progress.rounds.values()):
        console.print(swaps_table(ended.progress))
    if ended.progress.compared:
        console.print(gain_table(ended.progress.compared))
    if ended.reason == INTERRUPTED:
        console.print("interrupted: the same command goes on from here")
        raise typer.Exit(INTERRUPTED_CODE)
    missing = shortfalls(settings.goal, ended.progress)
    for one in missing:
        typer.secho(f"codeloop: {one}", fg="red", err=True)
    if missing:
        raise typer.Exit(UNREACHED)
