"""What the commands take that train by a recipe."""

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE.toml", help="A file, or a recipe that comes along.")
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="The run's folder; else below runs/."),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")
]
ChangesOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key, as limits.iterations=5."),
]
