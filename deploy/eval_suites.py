"""`codeloop eval list` and `codeloop eval show`: the suites, and what of them is on this machine."""

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.invocation import invocation

if TYPE_CHECKING:
    from evaluator.data import DataFolder
    from evaluator.problem import Problem
    from evaluator.suite import Suite

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", envvar="CODELOOP_DATA", metavar="DIR", help="Folder with the suites' files."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_suites(ctx: typer.Context, data: Data = None, as_json: AsJson = False) -> None:
    """The suites: rows of their files, licence, and whether the files are here.

    A suite may ask fewer problems than its file has rows; codeloop eval show SUITE counts them.

    codeloop eval list --data /srv/benchmarks
    """
    from deploy.eval_bench import data_folder
    from evaluator.suites import suites

    folder = data_folder(invocation(ctx).settings, data)
    found = [_summary(suite, folder) for suite in suites()]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("suite", "title", "rows", "here", "licence", box=None)
    for row in found:
        here = "[green]yes[/]" if row["available"] else "[yellow]no[/]"
        rows = "" if row["rows"] is None else str(row["rows"])
        table.add_row(row["name"], row["title"], rows, here, row["licence"][:30])
    console = Console()
    console.print(table)
    missing = sum(not row["available"] for row in found)
    if missing:
        console.print(
            f"{missing} suites lack files in {folder.root}: codeloop eval show SUITE says which, and"
            " where they come from; codeloop eval fetch SUITE gets them."
        )


def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="SUITE", help="A suite's name, or a folder.")],
    problem: Annotated[str, typer.Argument(metavar="[PROBLEM]", help="A problem's id.")] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """One suite, or one of its problems as a model sees it.

    Of a suite: licence, source, number of problems, and each file with its digest and the place where
    it belongs. Of a problem: the prompt, and the reference answer where the data has one.

    codeloop eval show humaneval+

    codeloop eval show humaneval+ HumanEval/32
    """
    from deploy.eval_bench import data_folder, suite_named

    folder = data_folder(invocation(ctx).settings, data)
    suite = suite_named(name)
    if problem:
        _show_problem(suite, _problem_named(suite, folder, problem), as_json=as_json)
        return
    summary = _summary(suite, folder)
    first = ""
    if summary["available"]:
        problems = suite.load(folder)
        summary["problems"], first = len(problems), problems[0].id
        summary["digest"] = folder.digest(suite.files) if suite.files else ""
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    _show_suite(summary, folder.root)
    if first:
        typer.echo(f"next: codeloop eval show {name} {first}")
        typer.echo(f"      codeloop eval {name} --model http://127.0.0.1:8000/v1 --limit 5")


_LABELS = {"may_train": "training"}
_TRAINING = {True: "the licence allows it", False: "not to be trained on"}


def _show_suite(summary: dict[str, Any], root: Path) -> None:
    told = summary | {"may_train": _TRAINING[summary["may_train"]]}
    for key, value in told.items():
        if value not in ("", None, [], {}) and key not in ("files", "available"):
            typer.echo(f"{_LABELS.get(key, key):10} {value}")
    for file in summary["files"]:
        state = "here" if file["available"] else f"missing: belongs at {root / file['path']}"
        typer.echo(f"{'file':10} {file['path']} ({state})\n{'':10} from {file['url']}")
        if file["sha256"]:
            typer.echo(f"{'':10} sha256 {file['sha256']}")


def _summary(suite: "Suite", folder: "DataFolder") -> dict[str, Any]:
    files = [
        {"path": file.path, "url": file.url, "sha256": file.sha256, "available": folder.has(file)}
        for file in suite.files
    ]
    rows = [file.rows for file in suite.files if file.rows is not None]
    return {
        "name": suite.name,
        "title": suite.title,
        "language": suite.language,
        "rows": rows[0] if rows else None,
        "metric": " ".join((suite.metric, *suite.scores[-1:])),
        "licence": suite.licence,
        "source": suite.source,
        "available": all(file["available"] for file in files),
        "may_train": suite.may_train,
        "warning": suite.warning,
        "files": files,
    }


def _problem_named(suite: "Suite", folder: "DataFolder", wanted: str) -> "Problem":
    from evaluator.errors import UsageRefused

    problems = suite.load(folder)
    for problem in problems:
        if problem.id == wanted:
            return problem
    raise UsageRefused(
        f"{suite.name} has no problem {wanted!r}: its {len(problems)} are named as"
        f" {problems[0].id!r}"
    )


def _show_problem(suite: "Suite", problem: "Problem", *, as_json: bool) -> None:
    prompt = suite.prompt(problem)
    shown = {
        "id": problem.id,
        "language": problem.language,
        "date": problem.date.isoformat() if problem.date else None,
        "difficulty": problem.difficulty,
        "task": type(problem.task).__name__,
        "prompt": {"kind": type(prompt).__name__, **_plain(prompt)},
        "reference": problem.reference,
    }
    if as_json:
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for key in ("id", "language", "date", "difficulty", "task"):
        if shown[key]:
            typer.echo(f"{key:12} {shown[key]}")
    for part, value in _plain(prompt).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        typer.echo(f"\n── {part} " + "─" * 40)
        typer.echo(textwrap.indent(text, "  "))
    if problem.reference:
        typer.echo("\n── reference " + "─" * 40)
        typer.echo(textwrap.indent(problem.reference, "  "))


def _plain(prompt: Any) -> dict[str, Any]:
    """A prompt's parts as texts; a chat's turns by their roles."""
    messages = getattr(prompt, "messages", None)
    if messages is not None:
        return {f"{number}: {one.role}": one.content for number, one in enumerate(messages, 1)}
    return {key: value for key, value in vars(prompt).items() if value}
