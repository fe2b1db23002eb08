"""`codeloop train`: its commands by name."""

from typing import Any

import typer
from typer.core import TyperGroup

from deploy.cli import DeferredCommand

COMMANDS = {
    "cluster": ("deploy.train_cluster:cluster", "One run on many machines, placed by Ray."),
    "data": ("deploy.train_data:app", "Make verified training data, and look at it."),
    "learn": ("deploy.train_learn:learn", "The proof: the loop learns here, in minutes."),
    "plan": ("deploy.train_plan:plan", "Memory, phase times, and whether to pipeline at all."),
    "report": ("deploy.train_report:report", "What a run came to: curves, gain, alarms, answers."),
    "run": ("deploy.train_run:run", "Train by a recipe, or go on with a run."),
    "simulate": ("deploy.train_simulate:simulate", "Try the pipeline's schedules on a workload."),
}


class TrainCommands(TyperGroup):
    """The commands of the table, each imported when it is chosen."""

    def __init__(self, **attributes: Any) -> None:
        deferred = {name: DeferredCommand(name, *entry) for name, entry in COMMANDS.items()}
        super().__init__(**(attributes | {"commands": deferred}))


app = typer.Typer(
    cls=TrainCommands,
    no_args_is_help=True,
    help="Reinforcement learning on verified rewards.",
)


@app.callback()
def about() -> None:
    """Reinforcement learning on verified rewards."""
