"""`codeloop leaderboard`: a static site over many runs."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.eval_results import RuleSet


def leaderboard(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUNS...", help="Run folders.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Goes there.")] = Path(
        "site"
    ),
    rules: Annotated[RuleSet, typer.Option(help="Read the grades given under these rules.")] = (
        RuleSet.STRICT
    ),
) -> None:
    """Build a static site over many runs: rows by recipe, published scores beside them, every report.

    codeloop leaderboard runs/* --out site/
    """
    from evaluator.leaderboard import build_site

    print(f"{build_site(runs, out, rules.value)}: open it in a browser, or serve the folder")
