"""`codeloop train data`: make a verified data set of sources, and look at one."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.eval_suites import AsJson, Data
from deploy.invocation import invocation

EMPTY = 2
"""Exit code of a build that left every problem out."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Make verified training data, and look at it.",
)


@app.command("build")
def build_command(
    ctx: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Sources; see codeloop train data list."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The data set's folder.")],
    data: Data = None,
    least_tests: Annotated[
        int, typer.Option(min=1, help="Fewer tests, and a problem is left out.")
    ] = 5,
    solutions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="More known solutions: rows with id and code."),
    ] = None,
    solve_rates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Rows with id and solve_rate, or with passes and samples."
        ),
    ] = None,
    solve_rates_from: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Sample from this endpoint to learn solve rates."),
    ] = None,
    model: Annotated[str, typer.Option(help="The endpoint's model.")] = "",
    key: Annotated[
        str, typer.Option(envvar="CODELOOP_API_KEY", help="The endpoint's key.", show_envvar=True)
    ] = "",
    samples: Annotated[int, typer.Option(min=2, help="Answers to a problem.")] = 8,
    temperature: Annotated[float, typer.Option(min=0.0, help="Of these answers.")] = 0.6,
    max_tokens: Annotated[int, typer.Option(min=1, help="Where one is cut.")] = 16_384,
    least_solve_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Solved less often: too hard.")
    ] = 0.05,
    most_solve_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Solved more often: too easy.")
    ] = 0.95,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first of each source.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read sources, compare them with every evaluation suite, run known solutions, write the rest.

    A problem is kept when it has enough tests, is in no evaluation suite and not there twice, and a
    known solution passes. What is left out is in dropped.jsonl with its reason. A build that was
    broken off goes on where it was. Exit code: 0 done, 1 failed, 2 every problem was left out.

    codeloop train data build short-functions --out data/short

    codeloop train data build leetcode mbpp --least-tests 3 --out data/train

    codeloop train data build ./my_suite taco:taco_verified.json --out data/own
    """
    from deploy.eval_bench import bench, data_folder
    from deploy.train_data_progress import Steps
    from trainer.dataset.build import Choices, build, read_solutions
    from trainer.dataset.folder import check_place, write_dataset
    from trainer.dataset.solve_rate import read_solve_rates

    check_place(out)
    settings = invocation(ctx).settings
    choices = Choices(
        sources=names,
        least_tests=least_tests,
        least_solve_rate=least_solve_rate,
        most_solve_rate=most_solve_rate,
        solutions=read_solutions(solutions) if solutions else {},
        solve_rates=read_solve_rates(solve_rates) if solve_rates else {},
        limit=limit,
    )
    with bench(settings, "strict") as graders, Steps() as steps:
        sampler = None
        if solve_rates_from is not None:
            sampler = _sampler(solve_rates_from, model, key, samples, temperature, max_tokens)
        built = build(choices, data_folder(settings, data), graders, steps.show, sampler)
    manifest = write_dataset(out, built.problems, built.drops, built.facts)
    _print(out, manifest, as_json=as_json)
    if not built.problems:
        raise typer.Exit(EMPTY)


def _sampler(
    url: str, model: str, key: str, samples: int, temperature: float, max_tokens: int
) -> Any:
    from deploy.eval_endpoint import completer_of
    from evaluator.completer import Sampling
    from trainer.dataset.solve_rate_sampling import SolveRateSampler

    completer = completer_of(
        url, name=model, key=key, lane="", patience_seconds=600.0, streams=False
    )
    return SolveRateSampler(
        completer=completer,
        sampling=Sampling(temperature=temperature, max_tokens=max_tokens),
        num_samples=samples,
    )


@app.command("show")
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A data set's folder.")],
    problem: Annotated[str, typer.Argument(metavar="[PROBLEM]", help="A problem's id.")] = "",
    as_json: AsJson = False,
) -> None:
    """A data set's manifest, once its files are found whole; or one problem as a model sees it.

    codeloop train data show data/short

    codeloop train data show data/short short-functions/integers/sum.even/0
    """
    from trainer.dataset.folder import load_dataset, read_manifest
    from trainer.errors import DatasetInvalid

    problems = load_dataset(folder)
    if not problem:
        _print(folder, read_manifest(folder), as_json=as_json)
        return
    found = next((one for one in problems if one.id == problem), None)
    if found is None:
        raise DatasetInvalid(
            f"{folder} has no problem {problem!r}: its {len(problems)} are named as {problems[0].id!r}"
        )
    row = found.as_row()
    if as_json:
        typer.echo(json.dumps(row, indent=2, ensure_ascii=False))
        return
    for name in ("id", "kind", "source", "licence", "difficulty", "solve_rate", "stop"):
        if row[name] not in ("", None, []):
            typer.echo(f"{name:12} {row[name]}")
    for message in found.messages:
        typer.echo(f"\n── {message.role} " + "─" * 40 + f"\n{message.content}")
    typer.echo("\n── reference " + "─" * 40 + f"\n{found.problem.reference}")


@app.command("list")
def list_sources() -> None:
    """The sources that a data set can be made of."""
    from trainer.dataset.sources import SOURCES

    for name, (_, told) in SOURCES.items():
        typer.echo(f"{name:26} {told}")
    typer.echo(f"{'DIR':26} an organisation's own suite, repositories with tests included")


def _print(folder: Path, manifest: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(manifest, indent=2, ensure_ascii=False))
        return
    counts, limits = manifest["counts"], manifest["thresholds"]
    typer.echo(
        f"{folder}: {counts['kept']} of {counts['read']} problems, {manifest['kinds']} kinds,"
        f" {manifest['with_holdout']} with hold-out tests"
    )
    for title, table in (
        ("kept", manifest["kept_by_source"]),
        ("licence", manifest["licences"]),
        ("left out", manifest["dropped_by_reason"]),
    ):
        for name, count in table.items():
            typer.echo(f"  {title:9} {count:6}  {name}")
    typer.echo(
        f"  kept are problems of at least {limits['least_tests']} tests, solved in"
        f" {limits['least_solve_rate']:g} to {limits['most_solve_rate']:g} of"
        f" {limits['solve_rates_known']} known cases;\n  alike is an index of"
        f" {limits['near_duplicate']:g}, or {limits['near_duplicate_same_name']:g} where a function of"
        f" the same name is tested, against {len(manifest['evaluation_suites'])} suites"
    )
    if not manifest["evaluation_suites"]:
        typer.echo(
            "  no evaluation suite's files were found, so nothing was compared with them: name their"
            " folder with --data"
        )
    typer.echo(f"  what was left out, each with its reason: {folder / 'dropped.jsonl'}")
