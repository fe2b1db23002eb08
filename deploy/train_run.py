"""`codeloop train run`: a recipe trained to its end, watched, interrupted and gone on with."""

import asyncio
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.invocation import invocation
from deploy.train_options import ChangesOption, OutOption, RecipeArgument, ResumeOption
from trainer import errors
from trainer.ranks import is_follower, num_ranks

if TYPE_CHECKING:
    from deploy.config import Settings
    from trainer.parts import Watch
    from trainer.pipeline import Pipeline
    from trainer.recipe import Recipe

INTERRUPTED = 130
EXIT_CODES: Mapping[type[errors.TrainerError], int] = {
    errors.RecipeInvalid: 3,
    errors.ObjectiveInvalid: 3,
    errors.ModelUnfit: 3,
    errors.RunRefused: 4,
    errors.DatasetInvalid: 5,
    errors.SamplerMismatch: 7,
    errors.SamplerFailed: 6,
    errors.UpdateFailed: 8,
    errors.RewardFailed: 9,
    errors.LearnerFailed: 10,
    errors.StepInvalid: 10,
    errors.GroupInvalid: 11,
    errors.BatchInvalid: 11,
    errors.TooStale: 11,
    errors.AllGroupsDead: 12,
    errors.CheckpointInvalid: 13,
    errors.SaveFailed: 14,
    errors.PlacementFailed: 15,
}
"""Kind of failure → exit code; the first that fits. docs/training.md says what to do about each."""


def run(
    ctx: typer.Context,
    recipe: RecipeArgument,
    out: OutOption = None,
    resume: ResumeOption = False,
    fall_back: Annotated[
        bool, typer.Option("--fall-back", help="From the one before, if the last is damaged.")
    ] = False,
    changes: ChangesOption = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write TensorBoard's event files there as it goes."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Serve Prometheus' metrics on 127.0.0.1:PORT."
        ),
    ] = None,
    key: Annotated[
        str,
        typer.Option(
            envvar=["CODELOOP_KEY", "CODELOOP_API_KEY"],
            help="Key of the server that samples; better in the environment.",
        ),
    ] = "",
) -> None:
    """Train by a recipe: sample, run in the sandbox, learn, publish, over and over.

    log.jsonl in the run's folder is the truth; codeloop train report draws it. Ctrl-C ends after the
    iteration under way, with a checkpoint; twice at once, and --resume goes on from the last one.

    Exit code: 0 done, 1 other failure, 2 wrong usage, 3 recipe or model, 4 folder in use, 5 data
    set, 6 sampler, 7 sampler and learner disagree, 8 new weights not taken, 9 sandbox, 10 learner,
    11 samples, 12 nothing to learn from, 13 damaged checkpoint, 14 disk, 130 interrupted.

    codeloop train run smollm2-cpu.toml

    codeloop train run my.toml --out runs/a --set limits.iterations=10

    codeloop train run my.toml --out runs/a --resume

    torchrun --nproc-per-node 8 -m deploy train run my.toml --out runs/a

    codeloop train run my.toml --tensorboard events --metrics-port 9464
    """
    from deploy.train_progress import TrainingView
    from deploy.train_watch import watched
    from trainer.parts import Watch
    from trainer.recipe_file import read_recipe

    try:
        asked = read_recipe(recipe, changes or [])
        folder = out or Path("runs") / asked.name
        trained = partial(
            _trained, ctx, asked, folder, key=key, is_resumed=resume, falls_back=fall_back
        )
        if is_follower():
            trained(Watch())
            return
        with (
            TrainingView(asked) as view,
            watched(view, tensorboard=tensorboard, metrics_port=metrics_port) as watch,
        ):
            reason = trained(watch)
    except errors.TrainerError as error:
        _say(str(error))
        raise typer.Exit(exit_code(error)) from error
    except KeyboardInterrupt:
        _say(f"interrupted at once: go on with the same command, --out {out or ''} and --resume")
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"{reason}: codeloop train report {folder} --out report.html")
    if reason == "interrupted":
        raise typer.Exit(INTERRUPTED)


def exit_code(error: errors.TrainerError) -> int:
    """Of a failure's kind; 1 for one that the table has not."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)


def _trained(
    ctx: typer.Context,
    recipe: "Recipe",
    folder: Path,
    watch: "Watch",
    *,
    key: str,
    is_resumed: bool,
    falls_back: bool,
) -> str:
    """Why the run ended. Raises TrainerError."""
    from server.model_store import ModelStore
    from trainer.led_policy import first_on_each_machine, joined
    from trainer.run_setup import follow_leader

    settings = invocation(ctx).settings
    store = ModelStore(settings.deploy.home / "models")
    fetch = partial(store.resolve, recipe.model.source, pull=True)
    drive = partial(
        _driven,
        settings,
        recipe,
        folder,
        watch,
        key=key,
        is_resumed=is_resumed,
        falls_back=falls_back,
    )
    if num_ranks() == 1:
        return drive(fetch())
    with joined():
        model_folder = first_on_each_machine(fetch)
        if is_follower():
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is rank 0's to act on
            follow_leader(recipe, model_folder)
            return "followed"
        return drive(model_folder)


def _driven(
    settings: "Settings",
    recipe: "Recipe",
    folder: Path,
    watch: "Watch",
    model_folder: Path,
    *,
    key: str,
    is_resumed: bool,
    falls_back: bool,
) -> str:
    """The scheduler's side; why it ended. Raises TrainerError."""
    from deploy.eval_bench import bench
    from trainer.led_policy import LedPolicy
    from trainer.reward import Grader
    from trainer.run_setup import set_up
    from trainer.train import run as train

    with bench(settings, "strict") as graders, Grader(graders) as grader:
        setup = set_up(recipe, folder, model_folder=model_folder, grader=grader, key=key)
        try:
            return asyncio.run(
                train(
                    setup,
                    is_resumed=is_resumed,
                    falls_back=falls_back,
                    watch=watch,
                    started=_stop_on_signals,
                )
            )
        finally:
            if isinstance(setup.policy, LedPolicy):
                setup.policy.end()


def _stop_on_signals(pipeline: "Pipeline") -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop_once, loop, number, pipeline)


def _stop_once(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, pipeline: "Pipeline"
) -> None:
    """The second signal is not waited for."""
    loop.remove_signal_handler(number)
    _say("stopping: the iteration under way ends first, with a checkpoint; once more to leave it")
    pipeline.stop("interrupted")


def _say(text: str) -> None:
    typer.secho(f"codeloop: {text}", fg="red", err=True)
