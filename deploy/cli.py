"""The command `codeloop`: its global options, its commands, and what an error looks like.

A command's module is imported only when that command is chosen, so `codeloop --help` needs
neither the server nor the engine. Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from deploy.errors import DeployError
from deploy.invocation import GlobalOptions
from evaluator.errors import EvaluatorError
from sandbox.errors import SandboxError
from server.errors import ServerError
from trainer.errors import TrainerError

COMMANDS = {
    "serve": ("deploy.serve_command:serve", "Serve models over an OpenAI-compatible API."),
    "chat": ("deploy.chat_command:chat", "Talk to a model, here or on any compatible endpoint."),
    "models": ("deploy.models_commands:app", "Get, list, verify and size models."),
    "versions": (
        "deploy.versions_commands:app",
        "Take in, list, verify, pin, remove published versions.",
    ),
    "promote": ("deploy.promote_commands:promote", "Make a version live on a running server."),
    "rollback": ("deploy.promote_commands:rollback", "Let the version before answer again."),
    "keys": ("deploy.keys_commands:app", "Create, list and revoke API keys."),
    "sandbox": (
        "deploy.sandbox_commands:app",
        "Run untrusted programs; serve, probe and list languages.",
    ),
    "eval": ("deploy.eval_commands:app", "Benchmark a model: sample, grade, report, compare."),
    "train": ("deploy.train_commands:app", "Train on verified rewards: plan and simulate."),
    "loop": ("deploy.loop_command:loop", "Serve, train, judge and promote, round after round."),
    "leaderboard": (
        "deploy.leaderboard_command:leaderboard",
        "Build a static site over many runs.",
    ),
    "config": ("deploy.config_commands:app", "Show, check and explain the settings."),
    "check": ("deploy.check_command:check", "Tell whether this machine is ready, and what to fix."),
    "version": ("deploy.version_command:version", "Print the versions that matter in a report."),
}
"""Command → where it lives and what the overview says. An attribute is a typer app or a function."""

EXPECTED_ERRORS = (DeployError, ServerError, SandboxError, EvaluatorError, TrainerError)
"""One base a part: errors whose message alone tells the reader what to do."""


class DeferredCommand(TyperCommand):
    """A command that is imported when it is chosen, not when it is listed."""

    def __init__(self, name: str, target: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self._target = target

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        return self._load().make_context(*args, **kwargs)

    def _load(self) -> Any:
        module_name, _, attribute = self._target.partition(":")
        found: typer.Typer | Callable[..., None] = getattr(
            importlib.import_module(module_name), attribute
        )
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        single = typer.Typer(add_completion=False, rich_markup_mode="rich")
        single.command(self.name)(found)
        return typer.main.get_command(single)


class Commands(TyperGroup):
    """The commands of the table, and the one place where expected errors end."""

    def __init__(self, **attributes: Any) -> None:
        deferred = {name: DeferredCommand(name, *entry) for name, entry in COMMANDS.items()}
        super().__init__(**(attributes | {"commands": deferred}))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except EXPECTED_ERRORS as error:
            if ctx.params.get("debug"):
                raise
            typer.secho(f"codeloop: {error}", fg="red", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    name="codeloop",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command explains itself: [bold]codeloop COMMAND --help[/bold].",
)


@app.callback()
def options(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="CODELOOP_CONFIG",
            metavar="FILE",
            help="Settings file; else ./codeloop.toml, else ~/.config/codeloop/codeloop.toml.",
        ),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(
            envvar="CODELOOP_HOME",
            metavar="DIR",
            help="Where models, keys and logs live; replaces deploy.home of the settings.",
        ),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(help="Least severe message to log; replaces deploy.log_level."),
    ] = None,
    log_format: Annotated[
        Literal["human", "json"] | None,
        typer.Option(help="Shape of the log on stderr; replaces deploy.log_format."),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="On an error, show where it was raised.")
    ] = False,
) -> None:
    """An OpenAI-compatible code-model server for your own machines.

    Start here:

    codeloop check     is this machine ready?
    codeloop serve     serve the default model and print a curl line that works
    codeloop chat      talk to it
    """
    ctx.obj = GlobalOptions(
        config=config, home=home, log_level=log_level, log_format=log_format, debug=debug
    )


def main() -> None:
    """Entry point of the installed command."""
    # Keys, usage, logs and models are this user's business.
    os.umask(0o077)
    app(prog_name="codeloop")
