"""Program: the loop's training run, gone on with up to an iteration, in a process of its own."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deploy.config import find_config, load_settings
from deploy.eval_bench import bench
from deploy.logs import set_up_logging
from server.model_store import ModelStore
from trainer.pipeline import Pipeline
from trainer.recipe_file import read_recipe
from trainer.reward import Grader
from trainer.run_setup import set_up
from trainer.train import run as train


def main(
    recipe_name: str,
    *,
    out: Annotated[Path, typer.Option(help="The run's folder.")],
    key: Annotated[str, typer.Option(envvar="CODELOOP_KEY")],
    home: Annotated[Path, typer.Option()],
    config: Annotated[Path | None, typer.Option()] = None,
    changes: Annotated[list[str] | None, typer.Option("--set")] = None,
) -> None:
    """Train up to limits.iterations; SIGTERM ends it after the iteration under way."""
    settings = load_settings(find_config(config), home=home)
    set_up_logging(level=settings.deploy.log_level, shape=settings.deploy.log_format)
    recipe = read_recipe(recipe_name, changes or ())
    model = ModelStore(settings.deploy.home / "models").resolve(recipe.model.source, pull=True)

    def started(pipeline: Pipeline) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, pipeline.stop, "interrupted")

    with bench(settings, "strict") as graders, Grader(graders) as grader:
        made = set_up(recipe, out, model_folder=model, grader=grader, key=key)
        asyncio.run(train(made, is_resumed=True, started=started))


def run(words: Sequence[str] | None = None) -> None:
    """The command line of this program."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(words)


if __name__ == "__main__":
    run()
