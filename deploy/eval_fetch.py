"""`codeloop eval fetch`: suites' files from their public sources into the data folder."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from deploy.eval_suites import Data
from deploy.invocation import invocation

FAILED = 2


def fetch(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="SUITE...", help="Suites to get.")],
    mirror: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="A copy of the sources inside the house: URL/HOST/PATH is asked instead.",
        ),
    ] = "",
    again: Annotated[bool, typer.Option(help="Also get what is there already.")] = False,
    data: Data = None,
) -> None:
    """Get suites' files from their public sources, checked, into the data folder.

    What a source does not have in our form is named, with where it comes from and where to place it.

    Exit code: 0 everything is there, 2 something is not.

    codeloop eval fetch humaneval+ mbpp+ --data /srv/benchmarks
    """
    from deploy.eval_bench import data_folder, suite_named
    from evaluator.errors import DataInvalid, DataMissing
    from evaluator.fetch import fetch as fetch_file

    folder = data_folder(invocation(ctx).settings, data)
    is_missing = False
    for file in dict.fromkeys(file for name in names for file in suite_named(name).files):
        if folder.has(file) and not again:
            typer.echo(f"{file.path}: here already")
            continue
        columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
        try:
            with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task(file.path, total=None)
                place = fetch_file(
                    file,
                    folder,
                    mirror=mirror,
                    on_bytes=lambda done, size: bar.update(task, completed=done, total=size),  # noqa: B023
                )
            typer.echo(f"{file.path}: got {place.stat().st_size:,} bytes")
        except (DataMissing, DataInvalid) as error:
            is_missing = True
            typer.secho(str(error), fg="red", err=True)
    raise typer.Exit(FAILED if is_missing else 0)
