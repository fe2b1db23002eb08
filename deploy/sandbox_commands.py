"""`codeloop sandbox`: run an untrusted program, serve others, see what this machine can hold and run."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from deploy.errors import DeployError
from deploy.invocation import global_options, invocation
from deploy.sandbox_report import languages_found, print_outcome
from sandbox.errors import InvalidProgram, SandboxError
from sandbox.program import MAX_SOURCE_BYTES, MAX_STDIN_BYTES, MIB, Limits, Program
from sandbox.settings import IsolationName, NodeSettings, SandboxSettings
from sandbox.wire import outcome_body

log = logging.getLogger(__name__)

PROGRAM_FAULT = 1
OUR_FAULT = 2
HEADER_SECONDS = 30.0
ISOLATIONS = ("namespaces", "docker")
"""Findings of the probe that can each hold programs."""

Tables = TypeVar("Tables", SandboxSettings, NodeSettings)

app = typer.Typer(no_args_is_help=True, help="Run untrusted programs; serve, probe, languages.")

Isolation = Annotated[
    IsolationName | None,
    typer.Option(help="What holds programs; replaces sandbox.isolation of the settings."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def run(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The program.")
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGS]", help="The program's arguments.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Its language; else what the file's name says.")
    ] = None,
    stdin: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What it reads; - is this command's own stdin. Without, it reads nothing.",
        ),
    ] = None,
    cpu_seconds: Annotated[
        float | None, typer.Option(help="Processor time of all its processes.")
    ] = None,
    wall_seconds: Annotated[
        float | None, typer.Option(help="Time, less what it waited for a processor.")
    ] = None,
    memory: Annotated[int | None, typer.Option(metavar="MIB", help="Memory, in MiB.")] = None,
    processes: Annotated[int | None, typer.Option(help="Processes and threads at a time.")] = None,
    output_bytes: Annotated[int | None, typer.Option(help="Longest stdout, and stderr.")] = None,
    file_bytes: Annotated[int | None, typer.Option(help="All that it writes to files.")] = None,
    num_files: Annotated[int | None, typer.Option(help="Files and folders it may have.")] = None,
    isolation: Isolation = None,
    as_json: AsJson = False,
) -> None:
    """Run one program and show what it did.

    Exit code: 0 it was fine, 1 it was not, 2 we could not run it.

    codeloop sandbox run solution.py --stdin input.txt

    codeloop sandbox run main.cpp --cpu-seconds 2 --memory 256 -- --verbose
    """
    limits = {
        "cpu_seconds": cpu_seconds,
        "wall_seconds": wall_seconds,
        "memory_bytes": None if memory is None else memory * MIB,
        "processes": processes,
        "output_bytes": output_bytes,
        "file_bytes": file_bytes,
        "num_files": num_files,
    }
    with _our_fault_is_2(ctx):
        from sandbox.sandbox import Sandbox
        from sandbox.toolchain import language_of

        settings = _settings(ctx, isolation=isolation, workers=1)
        program = Program(
            language=language or language_of(file),
            files={file.name: _content(file, MAX_SOURCE_BYTES)},
            arguments=tuple(arguments or ()),
            stdin=b"" if stdin is None else _content(stdin, MAX_STDIN_BYTES),
        )
        allowed = Limits.parse({k: v for k, v in limits.items() if v is not None})
        with Sandbox(settings) as sandbox:
            outcome = sandbox.run(program, allowed)
        if as_json:
            typer.echo(json.dumps(outcome_body(outcome)))
        else:
            print_outcome(outcome)
    if not outcome.ok:
        raise typer.Exit(PROGRAM_FAULT)


@app.command()
def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Programs that run at once.")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CODELOOP_SANDBOX_KEYS",
            show_envvar=True,
            help="A key that clients may send, repeatable; better in the environment or the settings.",
        ),
    ] = None,
    isolation: Isolation = None,
) -> None:
    """Run programs for other machines, over HTTP. Stop with Ctrl-C or SIGTERM.

    codeloop sandbox serve

    CODELOOP_SANDBOX_KEYS=$(openssl rand -hex 24) codeloop sandbox serve --host 0.0.0.0
    """
    from sandbox.gate import refuse_open_door
    from sandbox.node import NodeServer
    from sandbox.sandbox import Sandbox
    from server.http_protocol import protocol_with_header_deadline

    settings = _settings(ctx, isolation=isolation, workers=workers)
    changes = {"host": host, "port": port, "keys": tuple(key) if key else None}
    node = _changed(settings.node, changes)
    refuse_open_door(node)
    with Sandbox(settings) as sandbox:
        shown = "127.0.0.1" if node.host in ("0.0.0.0", "::") else node.host
        shown = f"[{shown}]" if ":" in shown else shown

        def on_ready(bound: int) -> None:
            url = f"http://{shown}:{bound}"
            auth = " -H 'Authorization: Bearer KEY'" if node.keys else ""
            print(f"\ncodeloop sandbox is ready: {sandbox.description}")
            print(f"  url   {url}   ({sandbox.num_workers} workers)")
            example = json.dumps({"language": "python", "source": "print(6 * 7)"})
            print(f"  try   curl {url}/run{auth} -d '{example}'\n", flush=True)

        protocol = protocol_with_header_deadline(HEADER_SECONDS)
        NodeServer(sandbox, node, protocol=protocol, on_ready=on_ready).serve_until_stopped()


@app.command()
def probe(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Try each layer of isolation here, and tell how to give what this machine lacks.

    Exit code: 1 when no isolation works.
    """
    from sandbox.probe import findings

    found = findings(_settings(ctx))
    if as_json:
        rows = [{"layer": layer, "works": works, "detail": text} for layer, works, text in found]
        typer.echo(json.dumps(rows))
    else:
        for layer, works, text in found:
            typer.echo(f"{'yes' if works else 'no':<4}{layer:<20} {text}")
    if not any(works for layer, works, _ in found if layer in ISOLATIONS):
        raise typer.Exit(1)


@app.command()
def languages(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="These only; else all.")] = None,
    install: Annotated[
        bool, typer.Option("--install", help="Get Debian's packages of the named ones first.")
    ] = False,
    isolation: Isolation = None,
    as_json: AsJson = False,
) -> None:
    """Show every language, whether it is installed, and whether its self-test passes in the sandbox.

    Exit code: 1 when one that is installed fails its self-test.

    codeloop sandbox languages

    codeloop sandbox languages --install cpp java
    """
    from sandbox.sandbox import Sandbox
    from sandbox.toolchain import toolchain, toolchains
    from sandbox.toolchain_place import install as install_packages

    if install and not names:
        raise typer.BadParameter(
            f"name the languages to install: {', '.join(toolchains())}", param_hint="'--install'"
        )
    chains = [toolchain(name) for name in names] if names else list(toolchains().values())
    if install:
        install_packages([chain.name for chain in chains])
    with Sandbox(_settings(ctx, isolation=isolation, workers=1)) as sandbox:
        found = languages_found(sandbox, chains)
    if as_json:
        typer.echo(json.dumps([vars(language) for language in found]))
    else:
        table = Table("language", "version", "present", "self-test", "packages")
        for language in found:
            table.add_row(*language.cells)
        Console().print(table)
    if any(language.passes is False for language in found):
        raise typer.Exit(1)


@contextmanager
def _our_fault_is_2(ctx: typer.Context) -> Iterator[None]:
    """Keep exit code 1 for programs: whatever else goes wrong in here ends with 2."""
    try:
        yield
    except Exception as error:
        if global_options(ctx).debug:
            log.exception("sandbox run failed")
        is_expected = isinstance(error, SandboxError | DeployError)
        text = (
            str(error) if is_expected else f"{type(error).__name__}: {error} (--debug tells more)"
        )
        typer.secho(f"codeloop: {text}", fg="red", err=True)
        raise typer.Exit(OUR_FAULT) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _settings(
    ctx: typer.Context, *, isolation: IsolationName | None = None, workers: int | None = None
) -> SandboxSettings:
    """The settings with the command's options in place of theirs. Raises SettingsError."""
    changes = {"isolation": isolation, "workers": workers}
    return _changed(invocation(ctx).settings.sandbox, changes)


def _changed(settings: Tables, changes: dict[str, Any]) -> Tables:
    given = {name: value for name, value in changes.items() if value is not None}
    return type(settings).model_validate(settings.model_dump() | given)


def _content(path: Path, most_bytes: int) -> bytes:
    """A file's bytes, or stdin's for "-". Raises InvalidProgram when there are too many."""
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(most_bytes + 1)
        else:
            with path.open("rb") as file:
                content = file.read(most_bytes + 1)
    except OSError as error:
        raise InvalidProgram(
            f"{path} cannot be read ({error.strerror}): name a readable file"
        ) from error
    if len(content) > most_bytes:
        raise InvalidProgram(f"{path} is longer than {most_bytes} bytes: no more are taken; cut it")
    return content
