"""`codeloop eval selftest`: a suite's own right and wrong answers, graded on this machine first."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from deploy.eval_run import RuleName
from deploy.eval_suites import AsJson, Data
from deploy.invocation import invocation

if TYPE_CHECKING:
    from evaluator.selftest import Graded

FAULTY = 2
_LISTED = 20


def selftest(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="SUITE...", help="Suites to look over.")],
    rules: Annotated[RuleName, typer.Option(help="By which rules to grade.")] = RuleName.STRICT,
    mutants: Annotated[bool, typer.Option(help="Also grade references with one fault put in.")] = (
        True
    ),
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first problems.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Grade a suite's own answers: references must pass here, empty answers must not.

    Exit code: 0 all as it should be, 2 not.

    codeloop eval selftest humaneval+ mbpp+
    """
    from deploy.eval_bench import bench, data_folder, suite_named
    from evaluator.selftest import graded, own_answers

    settings = invocation(ctx).settings
    folder = data_folder(settings, data)
    is_faulty = False
    with bench(settings, rules.value) as graders:
        for name in names:
            problems = list(suite_named(name).load(folder))[:limit]
            answers = list(own_answers(problems, has_mutants=mutants))
            found = list[Graded]() if TYPE_CHECKING else []
            with _bar() as bar:
                for one in bar.track(graded(answers, graders), len(answers), description=name):
                    found.append(one)
            wrong = [one for one in found if not one.is_as_it_should_be]
            is_faulty |= bool(wrong)
            _print(name, found, wrong, as_json=as_json)
    raise typer.Exit(FAULTY if is_faulty else 0)


def _bar() -> Progress:
    from rich.console import Console

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _print(name: str, found: "list[Graded]", wrong: "list[Graded]", *, as_json: bool) -> None:
    from evaluator.selftest import Kind, share_killed

    references = [one for one in found if one.kind is Kind.REFERENCE]
    killed = share_killed(found)
    passed = sum(one.judgement.is_right for one in references)
    if as_json:
        row = {
            "suite": name, "references": len(references), "references_passed": passed,
            "mutants_killed": killed,
            "wrong": [{"problem": one.problem, "kind": one.kind.value,
                       "grade": one.judgement.grade.value} for one in wrong],
        }  # fmt: skip
        typer.echo(json.dumps(row))
        return
    share = "" if killed is None else f"; {killed:.1%} of the mutants do not pass"
    typer.echo(f"{name}: {passed} of {len(references)} references pass{share}")
    for one in wrong[:_LISTED]:
        message = one.judgement.failure.message if one.judgement.failure else ""
        typer.echo(f"  {one.problem}: {one.kind.value} is {one.judgement.grade.value} {message}")
    if len(wrong) > _LISTED:
        typer.echo(f"  … and {len(wrong) - _LISTED} more; --json lists all")
