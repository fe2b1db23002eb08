"""`codeloop eval`: its commands by name; anything else that is named is a suite to run."""

from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from deploy.cli import DeferredCommand

COMMANDS = {
    "run": ("deploy.eval_run:run", "Sample a model on suites, grade, and report. The default."),
    "list": ("deploy.eval_suites:list_suites", "The suites: rows, licence, and what is here."),
    "show": ("deploy.eval_suites:show", "One suite, or one of its problems, in full."),
    "fetch": ("deploy.eval_fetch:fetch", "Get suites' files from their public sources."),
    "selftest": ("deploy.eval_selftest:selftest", "Grade a suite's own right and wrong answers."),
    "parity": ("deploy.eval_parity:parity", "Compare our verdicts with the official harnesses'."),
    "regrade": ("deploy.eval_regrade:regrade", "Grade stored or foreign samples, without a model."),
    "report": ("deploy.eval_results:report", "A run's results as table, file or HTML page."),
    "compare": ("deploy.eval_results:compare", "Two runs, problem by problem: is B better?"),
    "rating": ("deploy.eval_rating:rating", "A Codeforces rating and percentile from a run."),
    "power": ("deploy.eval_results:power", "How many samples tell two models apart."),
    "gate": ("deploy.eval_gate:gate", "Whether a checkpoint may replace the live one."),
    "new": ("deploy.eval_new:new", "Scaffold a private suite of your own."),
    "validate": ("deploy.eval_new:validate", "Check a private suite, line by line."),
}

USAGE, CLICK_USAGE = 1, 2


class EvalCommands(TyperGroup):
    """The commands of the table; a first word that is none of them is the first suite of `run`."""

    def __init__(self, **attributes: Any) -> None:
        deferred = {name: DeferredCommand(name, *entry) for name, entry in COMMANDS.items()}
        super().__init__(**(attributes | {"commands": deferred}))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TyperException as error:
            # Here 2 is a run that failed, as gates in pipelines expect.
            if getattr(error, "exit_code", 0) == CLICK_USAGE:
                error.exit_code = USAGE
            raise


app = typer.Typer(
    cls=EvalCommands,
    no_args_is_help=True,
    help="Benchmark suites: sample, grade, report, compare.\n\n"
    "Start here, with a server running and its key in CODELOOP_KEY:\n\n"
    "codeloop eval list                          which suites, and are their files here?\n\n"
    "codeloop eval humaneval+ --limit 5          ask five problems; without --limit all\n\n"
    "codeloop eval report RUN -f html -o r.html  every answer, program and test of a run\n\n"
    "A suite instead of a command is short for codeloop eval run SUITE. The manual is"
    " docs/evaluation.md.",
)


@app.callback()
def about() -> None:
    """Benchmark suites: sample, grade, report, compare.

    codeloop eval humaneval+ is short for codeloop eval run humaneval+.
    """
