"""`codeloop config`: what may be set, what is set, and whether a file is right."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.config import Settings, find_config, load_settings, read_tables
from deploy.invocation import GlobalOptions, global_options
from deploy.settings_text import effective, example, given_keys

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Show, check and explain the settings.\n\nStart a file: codeloop config example > codeloop.toml",
)


@app.command("show")
def show(ctx: typer.Context) -> None:
    """Print every setting in force, and where it came from.

    The output is itself a settings file.

    Example:

    codeloop --config site.toml config show
    """
    options = global_options(ctx)
    path = find_config(options.config)
    settings = load_settings(
        path, home=options.home, log_level=options.log_level, log_format=options.log_format
    )
    in_file = frozenset(() if path is None else given_keys(read_tables(path)))
    by_option = _given_by_option(options)

    def origin(key: str) -> str:
        return by_option.get(key) or (str(path) if key in in_file else "default")

    typer.echo(effective(settings, origin), nl=False)


@app.command("example")
def print_example() -> None:
    """Print a settings file with every key, what it means and its default.

    Example:

    codeloop config example > codeloop.toml
    """
    typer.echo(example(Settings), nl=False)


@app.command("check")
def check(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Default: the file that would be used.")
    ] = None,
) -> None:
    """Say whether a settings file is right; if not, list all that is wrong and exit with 1.

    Example:

    codeloop config check site.toml
    """
    path = file or find_config(global_options(ctx).config)
    load_settings(path)
    if path is None:
        typer.echo("no settings file: every setting has its default")
    else:
        typer.echo(f"{path}: right, {sum(1 for _ in given_keys(read_tables(path)))} keys set")


def _given_by_option(options: GlobalOptions) -> dict[str, str]:
    given = {
        "deploy.home": (options.home, "--home or CODELOOP_HOME"),
        "deploy.log_level": (options.log_level, "--log-level"),
        "deploy.log_format": (options.log_format, "--log-format"),
    }
    return {key: name for key, (value, name) in given.items() if value is not None}
