"""`codeloop train learn`: the proof that the whole loop learns, on this machine, in minutes.

Sampler, sandbox, loss and hand-over of weights are the real ones: a server of its own samples with vLLM.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.invocation import invocation
from deploy.train_options import ChangesOption, OutOption, ResumeOption

if TYPE_CHECKING:
    from deploy.config import Settings
    from deploy.launch import Launched
    from evaluator.grading.bench import Bench
    from trainer.gain import Gain
    from trainer.pipeline import Watch
    from trainer.recipe import Recipe


RECIPE = "learn.toml"
MOST_SEQUENCES = 192
"""More at once are no faster on two cores."""
NOT_LEARNED, RUN_ERROR = 1, 2
SERVER = """\
[server.lanes.train]
share = 1.0

[[server.models]]
name = "policy"
source = "{model}"
role = "sampler"
context_tokens = {context_tokens}
concurrency = {concurrency}
kv_cache_bytes = 1073741824
"""


def learn(
    ctx: typer.Context,
    out: OutOption = None,
    least: Annotated[
        float,
        typer.Option(min=-100.0, max=100.0, help="Points that the gain's lower bound must reach."),
    ] = 15.0,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="RECIPE.toml", help="What is trained; with an evaluation of held-out problems."
        ),
    ] = RECIPE,
    resume: ResumeOption = False,
    changes: ChangesOption = None,
) -> None:
    """Train SmolLM2-135M on short functions and ask it problems of kinds it has never seen.

    A server of its own samples, the sandbox rewards, the weights go back after each step. Held-out
    problems are asked before and after with the same seeds; the gain's interval is over their kinds.

    Exit code: 0 learned, 1 the gain's lower bound is below --least, 2 the run failed.

    codeloop train learn

    codeloop train learn --set batch.control=shuffled_rewards --least 0      (must not learn)

    codeloop train learn --recipe overnight.toml --out runs/overnight --least 0
    """
    from deploy.errors import LaunchError
    from evaluator.errors import EvaluatorError
    from sandbox.errors import SandboxError
    from server.errors import ServerError
    from trainer.errors import RecipeInvalid, TrainerError
    from trainer.recipe_file import read_recipe

    folder = out or Path("runs") / f"learn-{time.strftime('%Y%m%d-%H%M%S')}"
    began = time.monotonic()
    # The server of our own must not outlive us: its `with` is left by an exception.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        asked = read_recipe(recipe, changes or [])
        if not asked.evaluation.every:
            raise RecipeInvalid(
                f"{recipe} has no evaluation.every: nothing would be asked before and after; set it"
            )
        with proving_ground(invocation(ctx).settings, asked) as ground:
            found = ground.learn(recipe, changes or [], folder, is_resumed=resume)
    except (LaunchError, ServerError, TrainerError, SandboxError, EvaluatorError) as error:
        sys.stderr.write(f"codeloop: {error}\n")
        raise typer.Exit(RUN_ERROR) from error
    minutes = (time.monotonic() - began) / 60
    low = 100 * found.interval.low
    print_gain(found)
    verdict = "learned" if low >= least else "NOT learned"
    typer.echo(f"{verdict}: lower bound {low:+.1f} points, asked for {least:+g}; {minutes:.1f} min")
    typer.echo(f"next: codeloop train report {folder} --out report.html")
    if low < least:
        raise typer.Exit(NOT_LEARNED)


@dataclass(frozen=True, kw_only=True)
class ProvingGround:
    """A server that samples and graders, for as many runs as one likes."""

    model: Path
    server: "Launched"
    graders: "Bench"

    def learn(
        self, recipe: str, changes: Sequence[str], folder: Path, *, is_resumed: bool = False
    ) -> "Gain":
        """A run from the model as it was, or gone on with, and what it gained from first to last.

        Raises TrainerError, SandboxError, EvaluatorError.
        """
        from trainer.curves import read_run
        from trainer.errors import RecipeInvalid
        from trainer.gain import gain
        from trainer.recipe_file import read_recipe
        from trainer.reward import Grader
        from trainer.run_setup import set_up
        from trainer.train import run

        served = [f"sampler.url={self.server.base_url}", "sampler.model=policy"]
        asked = read_recipe(recipe, [*changes, "sampler.kind=served", *served])
        with Grader(self.graders) as grader:
            setup = set_up(
                asked, folder, model_folder=self.model, grader=grader, key=self.server.key
            )
            watch = _lines(asked.limits.iterations)
            asyncio.run(run(setup, is_resumed=is_resumed, watch=watch))
        pair = read_run(folder).first_and_last
        if pair is None:
            raise RecipeInvalid(
                f"{folder} has no two evaluations to compare: the recipe holds nothing out, or the run"
                " made no step; name problems as data.heldout, or raise limits"
            )
        return gain(*pair)


@contextmanager
def proving_ground(settings: "Settings", recipe: "Recipe") -> Iterator[ProvingGround]:
    """Start all of it. recipe: whose model is served. Raises ModelError, LaunchError, SandboxError."""
    from deploy.eval_bench import bench
    from deploy.launch import launch
    from server.model_store import ModelStore
    from trainer.dataset.short_functions import short_functions

    home = settings.deploy.home
    model = ModelStore(home / "models").resolve(recipe.model.source, pull=True, progress=typer.echo)
    typer.echo("starting the sampler's engine")
    with ThreadPoolExecutor(1) as beside:
        # They take as long as some of the engine's imports, and are kept.
        beside.submit(short_functions)
        with (
            launch(home / "learn", settings=_server(model, recipe)) as server,
            bench(settings, "strict") as graders,
        ):
            yield ProvingGround(model=model, server=server, graders=graders)


def _server(model: Path, recipe: "Recipe") -> str:
    longest = max(stage.max_new_tokens for stage in recipe.all_stages)
    tokens = recipe.drawing.max_prompt_tokens + longest
    return SERVER.format(
        model=model,
        context_tokens=tokens,
        concurrency=min(MOST_SEQUENCES, recipe.batch.prompts * recipe.batch.samples),
    )


def _lines(num_iterations: int) -> "Watch":
    """A line an evaluation and every five iterations, with what is left."""
    from trainer.pipeline import Watch

    class Lines(Watch):
        def __init__(self) -> None:
            self._rows: list[Mapping[str, Any]] = []

        def row(self, row: Mapping[str, Any]) -> None:
            if row["type"] == "evaluation":
                typer.echo(
                    f"held out, version {row['version']}: {100 * row['solve_rate']:.1f} % right of"
                    f" {row['problems']} problems x {row['samples']}"
                )
            if row["type"] == "iteration":
                self._rows.append(row)
                if len(self._rows) % 5 == 0:
                    typer.echo(_progress(self._rows[-5:], num_iterations - len(self._rows)))

    return Lines()


def _progress(rows: Sequence[Mapping[str, Any]], num_left: int) -> str:
    right = sum(row["solve_rate"] for row in rows) / len(rows)
    live = sum(row["groups_live"] for row in rows) / sum(row["prompts"] for row in rows)
    seconds = sum(row["measured"]["iteration_seconds"] for row in rows) / len(rows)
    return (
        f"iteration {rows[-1]['iteration']}: {100 * right:.1f} % right, {100 * live:.0f} % of groups"
        f" live, {seconds:.1f} s each, {seconds * num_left:.0f} s left"
    )


def print_gain(found: "Gain") -> None:
    """The before/after table."""
    from rich.table import Table

    from evaluator.report_table import console

    table = Table(title="held-out short functions, kinds never trained on")
    for name in ("", "problems", "kinds", "before %", "after %", "gain", "95 % over kinds"):
        table.add_column(name, justify="left" if not name else "right")
    rows: list[Any] = [("all", found), *((one.name, one) for one in found.families)]
    for name, one in rows:
        interval = one.interval
        table.add_row(
            name,
            str(one.num_problems),
            str(one.num_kinds),
            f"{100 * one.before:.1f}",
            f"{100 * one.after:.1f}",
            f"{100 * one.difference:+.1f}",
            f"{100 * interval.low:+.1f} … {100 * interval.high:+.1f}",
        )
    console().print(table)
