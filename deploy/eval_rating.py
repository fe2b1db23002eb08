"""`codeloop eval rating`: a run's answers to Codeforces problems as a rating and a percentile."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deploy.eval_results import Rules, RuleSet, Run
from deploy.invocation import invocation


def rating(
    ctx: typer.Context,
    run: Run,
    standings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Contests' standings, as evaluator.standings says."),
    ] = None,
    problem_ratings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Problem to rating, for the estimate.")
    ] = None,
    suite: Annotated[str, typer.Option(help="Which suite of the run.")] = "codeforces",
    rules: Rules = RuleSet.STRICT,
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="CODELOOP_DATA",
            metavar="DIR",
            help="Folder of the suites' files, for the users' histogram.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """A run's answers to Codeforces problems as a rating and a percentile, contest by contest.

    Samples of a problem are read as attempts, one after the other. Without standings only the solved
    share is told.

    codeloop eval rating runs/2026-01-31 --standings standings.json
    """
    from deploy.eval_bench import data_folder
    from evaluator.report_rating import print_rating, rating_data, rating_of
    from evaluator.report_table import console
    from evaluator.results import read_results
    from evaluator.standings import read_histogram, read_problem_ratings, read_standings
    from evaluator.suites.codeforces import HISTOGRAM

    folder = data_folder(invocation(ctx).settings, data)
    found, fitted = rating_of(
        read_results(run, rules.value).suite(suite),
        read_standings(standings) if standings else {},
        read_histogram(folder.content(HISTOGRAM), HISTOGRAM.path),
        read_problem_ratings(problem_ratings) if problem_ratings else {},
    )
    if as_json:
        typer.echo(json.dumps(rating_data(found, fitted), indent=2))
    else:
        print_rating(found, fitted, console())
