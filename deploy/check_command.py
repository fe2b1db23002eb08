"""`codeloop check`: the findings about this machine, a line each."""

import json
from typing import Annotated

import typer

from deploy.check import findings
from deploy.config import Settings, find_config, load_settings
from deploy.errors import SettingsError
from deploy.finding import Finding, Level
from deploy.invocation import global_options

COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


def check(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, for programs.")] = False,
) -> None:
    """Tell whether this machine is ready to serve, and what to fix.

    Exits with 1 when something would keep `codeloop serve` from working.

    Example:

    codeloop check

    codeloop check --json | jq '.[] | select(.level != "ok")'
    """
    options = global_options(ctx)
    found: list[Finding] = []
    try:
        settings = load_settings(find_config(options.config), home=options.home)
    except SettingsError as error:
        # The rest can still be looked at, with every setting at its default.
        settings = Settings()
        found = [
            Finding(level=Level.FAIL, subject="settings", text=problem, fix="correct the file")
            for problem in error.problems
        ]
    if not as_json:
        for finding in found:
            _print(finding)
    for finding in findings(settings):
        found.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        rows = [vars(finding) | {"level": finding.level.value} for finding in found]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    if any(finding.level is Level.FAIL for finding in found):
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    level = typer.style(f"{finding.level.value:<5}", fg=COLOURS[finding.level])
    fix = f"  → {finding.fix}" if finding.fix else ""
    typer.echo(f"{level} {finding.subject:<9} {finding.text}{fix}")
