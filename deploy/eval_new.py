"""`codeloop eval new` and `codeloop eval validate`: a private suite is begun, and looked over."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.invocation import invocation

if TYPE_CHECKING:
    from evaluator.private_check import Finding
    from sandbox.settings import SandboxSettings

FAULTY, USAGE = 1, 2

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)]


def new(folder: Folder) -> None:
    """Scaffold a private suite of your own: a working example of every kind of problem.

    codeloop eval new my_suite

    codeloop eval validate my_suite --run
    """
    import evaluator

    example = Path(evaluator.__file__).parent / "private_example"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        _refuse(f"{folder} is there already and not empty: name a folder that is not")
    try:
        shutil.copytree(example, folder, dirs_exist_ok=True)
    except OSError as error:
        _refuse(f"{folder} cannot be written ({error.strerror}): name another folder")
    typer.echo(f"{folder} holds a suite of {_num_problems(folder)} problems. Next:")
    typer.echo(f"  codeloop eval validate {folder} --run")
    named = folder if folder.is_absolute() else f"./{folder}"
    typer.echo(f"  codeloop eval {named} --model http://127.0.0.1:8000/v1")


def validate(
    ctx: typer.Context,
    folder: Folder,
    run: Annotated[
        bool, typer.Option("--run", help="Grade the references too, in the sandbox.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON lines.")] = False,
) -> None:
    """Check a private suite: every fault with its file, line and field.

    Exit code: 0 nothing found, 1 faults, 2 this is no private suite.

    codeloop eval validate my_suite --run
    """
    from evaluator.errors import EvaluatorError
    from evaluator.private_check import check

    settings = invocation(ctx).settings
    try:
        checked = check(folder)
        findings = list(checked.findings)
        if run and not findings:
            findings = _graded(folder, settings.sandbox, settings.evaluator.cache)
    except EvaluatorError as error:
        _refuse(str(error))
    for finding in findings:
        typer.echo(_as_json(finding) if as_json else str(finding))
    if not as_json:
        typer.echo(f"{len(checked.problems)} problems, {len(findings)} faults")
    if findings:
        raise typer.Exit(FAULTY)


def _graded(folder: Path, settings: "SandboxSettings", cache: str) -> list["Finding"]:
    """Faults of references and projects, as grading shows them; progress goes to stderr."""
    from evaluator.data import DataFolder
    from evaluator.grading.bench import Bench, Rules
    from evaluator.private import load_private
    from evaluator.private_check import check_references
    from sandbox.sandbox import Sandbox

    problems = load_private(folder).load(DataFolder(folder))
    found: list[Finding] = []
    with Sandbox(settings) as sandbox:
        bench = Bench(sandbox=sandbox, rules=Rules.STRICT, cache=Path(cache).expanduser())
        for problem, finding in check_references(problems, folder, bench):
            typer.echo(f"{'fault' if finding else 'ok':<6}{problem.id}", err=True)
            if finding is not None:
                found.append(finding)
    return found


def _as_json(finding: "Finding") -> str:
    return json.dumps({**vars(finding), "file": str(finding.file)}, ensure_ascii=False)


def _num_problems(folder: Path) -> int:
    from evaluator.private_check import check

    return len(check(folder).problems)


def _refuse(message: str) -> None:
    typer.secho(f"codeloop: {message}", fg="red", err=True)
    raise typer.Exit(USAGE)
