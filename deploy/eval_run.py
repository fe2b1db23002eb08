"""`codeloop eval run`: sample a model on suites, grade, and print the table."""

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.invocation import invocation
from evaluator.errors import EndpointFailed, GraderUnavailable, JournalBroken
from evaluator.presets import PRESETS, preset
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from deploy.eval_session import Session
    from evaluator.completer import Completer
    from evaluator.progress import Progress

RUN_ERROR, INTERRUPTED = 2, 130
_RUN_ERRORS = (EndpointFailed, JournalBroken, GraderUnavailable, SandboxError)


class ModeName(StrEnum):
    """How a suite is asked."""

    CHAT = "chat"
    RAW = "raw"
    INFILL = "infill"


class RuleName(StrEnum):
    """By which rules samples are graded."""

    STRICT = "strict"
    OFFICIAL = "official"


Data = Annotated[
    Path | None,
    typer.Option(
        envvar="CODELOOP_DATA",
        metavar="DIR",
        help="Folder of the suites' files; replaces evaluator.data of the settings.",
    ),
]
Unverified = Annotated[
    bool, typer.Option("--unverified-data", help="Take files whose digest is another one.")
]


def run(
    ctx: typer.Context,
    suites: Annotated[
        list[str], typer.Argument(metavar="SUITE...", help="Names, or folders of your own.")
    ],
    model: Annotated[
        str,
        typer.Option(
            envvar="CODELOOP_MODEL",
            metavar="URL|PROVIDER/MODEL",
            help="A server's URL, or a provider's model such as openai/gpt-4o.",
        ),
    ] = "http://127.0.0.1:8000/v1",
    model_name: Annotated[
        str, typer.Option(help="The model at that URL; else the first one that it lists.")
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            envvar=["CODELOOP_KEY", "CODELOOP_API_KEY"], help="API key; better in the environment."
        ),
    ] = "",
    lane: Annotated[
        str, typer.Option(help="Lane of a codeloop server, such as eval; else the key's first.")
    ] = "",
    preset_name: Annotated[
        str, typer.Option("--preset", help=f"How to draw: {', '.join(PRESETS)}.")
    ] = "greedy",
    n: Annotated[
        int | None, typer.Option("--n", "-n", min=1, help="Samples a problem; else the preset's.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="Replaces the preset's.")] = (
        None
    ),
    top_p: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Replaces the preset's.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Replaces the preset's.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of a problem's first sample; sample i has seed + i.")
    ] = None,
    mode: Annotated[
        ModeName | None, typer.Option(help="raw asks a base model; else the suite's own.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many first problems.")] = None,
    ids: Annotated[str, typer.Option(help="Only these problems, with commas between.")] = "",
    language: Annotated[
        list[str] | None, typer.Option(help="Only problems in this language; repeatable.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at once.")] = 16,
    stream: Annotated[
        bool, typer.Option(help="Stream answers of a URL; measures the first token's time.")
    ] = True,
    patience: Annotated[
        float, typer.Option(min=0.0, help="Seconds that a request is tried again for.")
    ] = 300.0,
    rules: Annotated[
        RuleName, typer.Option(help="strict, or as the suite's own harness.")
    ] = RuleName.STRICT,
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="The run's folder.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --out, or with the last run like this.")
    ] = False,
    unverified_data: Unverified = False,
    gate: Annotated[
        Path | None,
        typer.Option(metavar="GATE.toml", help="Judge the run at its end: codeloop eval gate."),
    ] = None,
    live: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The live version's run, for --gate.")
    ] = None,
    max_infrastructure: Annotated[
        float,
        typer.Option(
            min=0.0, max=100.0, help="Percent of samples that may fail by our host or the endpoint."
        ),
    ] = 1.0,
) -> None:
    """Sample a model on suites, grade, and print the table.

    A run is a folder: every answer and grade goes there as it comes, and --resume goes on with it.

    Exit code: 0 done, 1 wrong usage, 2 the run failed, 3 and 4 the gate failed or is inconclusive,
    130 interrupted (go on with --resume).

    codeloop eval humaneval+ mbpp+ --model http://127.0.0.1:8000/v1

    codeloop eval humaneval+ -n 4 --temperature 0.6 --top-p 0.95 --seed 1 --out runs/sampled

    codeloop eval livecodebench --model openai/gpt-4o --preset livecodebench

    codeloop eval ./my_suite --limit 5
    """
    from deploy.eval_bench import bench, check_languages, data_folder, suite_named
    from deploy.eval_endpoint import completer_of
    from deploy.eval_gate import EXIT, decided, gate_for, print_verdict
    from deploy.eval_results import print_table
    from deploy.eval_session import Session
    from evaluator.asking import Choice, ask_suite
    from evaluator.completer import Sampling

    # Before the first sample: a gate that cannot be read is known now.
    asked_gate = None if gate is None else gate_for(gate, live)
    drawn = preset(preset_name)
    sampling = Sampling(
        temperature=drawn.temperature if temperature is None else temperature,
        top_p=drawn.top_p if top_p is None else top_p,
        max_tokens=max_tokens or drawn.max_tokens,
        seed=seed,
    )
    wanted_ids = tuple(name for name in ids.split(",") if name)
    settings = invocation(ctx).settings
    folder = data_folder(settings, data, is_checked=not unverified_data)
    askings = [
        ask_suite(
            suite_named(name),
            folder,
            sampling=sampling,
            mode=None if mode is None else mode.value,
            num_samples=n or drawn.num_samples,
            choice=Choice(ids=wanted_ids, languages=language or (), limit=limit),
            system_prompt=drawn.system_prompt,
        )
        for name in dict.fromkeys(suites)
    ]
    completer = completer_of(
        model, name=model_name, key=key, lane=lane, patience_seconds=patience, streams=stream
    )
    with failures_are_2(), bench(settings, rules.value) as graders:
        tasks = (problem.task for asking in askings for problem in asking.problems)
        check_languages(tasks, settings.sandbox)
        session = Session(
            askings=askings,
            bench=graders,
            runs=Path(settings.evaluator.runs).expanduser(),
            out=out,
            is_resumed=resume,
            preset=preset_name,
            concurrency=concurrency,
            command=command_without_keys(sys.argv),
        )
        run_folder, done = _finish(session, completer)
    print_table(run_folder, rules.value)
    typer.echo(f"next: codeloop eval report {run_folder} --format html --out report.html")
    if done.infrastructure > max_infrastructure / 100:
        _say(
            f"our host or the endpoint failed at {done.infrastructure:.1%} of the samples, more than"
            f" --max-infrastructure {max_infrastructure:g} %: go on with --out {run_folder} --resume."
            f" {done.last_failure}"
        )
        raise typer.Exit(RUN_ERROR)
    if asked_gate is not None:
        with failures_are_2():
            verdict = decided(asked_gate, run_folder, live)
        print_verdict(verdict)
        raise typer.Exit(EXIT[verdict.name])


def _finish(session: "Session", completer: "Completer") -> tuple[Path, "Progress"]:
    """The session to its end, or to a signal's: then exit code 130."""

    from deploy.eval_progress import ProgressView

    async def until_signal() -> tuple[Path, "Progress"]:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # The second one is not waited for.
            loop.add_signal_handler(number, _stop_once, loop, number, task)
        try:
            with ProgressView() as view:
                return await session.finish(completer, view.show)
        finally:
            await completer.close()

    try:
        return asyncio.run(until_signal())
    except (asyncio.CancelledError, KeyboardInterrupt):
        place = session.folder
        told = f"go on with the same command and --out {place} --resume" if place else "not begun"
        _say(f"interrupted: {told}")
        raise typer.Exit(INTERRUPTED) from None


def _stop_once(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, task: "asyncio.Task[Any]"
) -> None:
    loop.remove_signal_handler(number)
    _say("stopping: programs under way end first; once more to leave them")
    task.cancel()


def command_without_keys(words: Sequence[str]) -> tuple[str, ...]:
    """The command as typed, for the manifest; what follows --key stays here."""
    shown = ["codeloop", *words[1:]]
    for place, word in enumerate(shown):
        if word.startswith("--key="):
            shown[place] = "--key=…"
        elif place and shown[place - 1] == "--key":
            shown[place] = "…"
    return tuple(shown)


@contextmanager
def failures_are_2() -> Iterator[None]:
    """What a run fails at ends with 2; a wrong usage goes on to the command line's 1."""
    try:
        yield
    except _RUN_ERRORS as error:
        _say(str(error))
        raise typer.Exit(RUN_ERROR) from error


def _say(text: str) -> None:
    typer.secho(f"codeloop: {text}", fg="red", err=True)
