"""`codeloop eval report`, `compare` and `power`: what runs came to, and what a run to come can show."""

import datetime as dt
import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from evaluator.errors import UsageRefused

if TYPE_CHECKING:
    from evaluator.power import Design

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write there, not to stdout.")
]


class RuleSet(StrEnum):
    """By which rules the samples were graded."""

    STRICT = "strict"
    OFFICIAL = "official"


class ReportFormat(StrEnum):
    """What a report can be."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    HTML = "html"
    HF = "hf"
    LM_EVAL = "lm-eval"
    JUNIT = "junit"


class CompareFormat(StrEnum):
    """What a comparison can be."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


Rules = Annotated[RuleSet, typer.Option(help="Read the grades given under these rules.")]


def report(
    run: Run,
    shape: Annotated[ReportFormat, typer.Option("--format", "-f", help="What to make.")] = (
        ReportFormat.TABLE
    ),
    out: Out = None,
    rules: Rules = RuleSet.STRICT,
    cutoff: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="html: compare problems before and from this day, such as the end of a model's data.",
        ),
    ] = None,
) -> None:
    """A run's results: table, Markdown, CSV, JSON, one HTML page, or what other tools read.

    hf is a model card's metadata, lm-eval the results file of lm-evaluation-harness.

    codeloop eval report runs/2026-01-31 --format html --out report.html
    """
    if shape is ReportFormat.TABLE:
        print_table(run, rules.value, out)
    else:
        _deliver(_rendered(run, shape, rules.value, cutoff.date() if cutoff else None), out)


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The run before.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="The run after.", show_default=False)],
    shape: Annotated[CompareFormat, typer.Option("--format", "-f", help="What to make.")] = (
        CompareFormat.TABLE
    ),
    out: Out = None,
    rules: Rules = RuleSet.STRICT,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where the recipes differ; says in what.")
    ] = False,
) -> None:
    """Two runs, problem by problem: is B better, how sure is that, and which problems flipped.

    codeloop eval compare runs/before runs/after --format html --out flips.html
    """
    from evaluator import comparison_report
    from evaluator.comparison import compare_results
    from evaluator.report_table import console
    from evaluator.results import read_results

    found = compare_results(
        read_results(a, rules.value), read_results(b, rules.value), anyway=anyway
    )
    if shape is CompareFormat.TABLE:
        if out is None:
            comparison_report.print_comparison(found, console())
        else:
            with _opened(out) as file:
                comparison_report.print_comparison(found, console(file))
        return
    make = {
        CompareFormat.MARKDOWN: comparison_report.comparison_markdown,
        CompareFormat.JSON: comparison_report.comparison_json,
        CompareFormat.HTML: comparison_report.comparison_html,
    }[shape]
    _deliver(make(found), out)


def power(
    problems: Annotated[int, typer.Option(help="Problems of the suite.")] = 164,
    samples: Annotated[int, typer.Option(help="Samples of each, in each run.")] = 1,
    difference: Annotated[float, typer.Option(help="To be told apart, in points.")] = 1.0,
    discordant: Annotated[
        float | None,
        typer.Option(
            help="Share of problems on which two single samples disagree; 0.1, or twice what the"
            " dice of a run alone would do."
        ),
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(help="Mean of p(1-p) over problems; else a quarter of --discordant."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Take problems and --within from this run.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of the two-sided test.")] = 0.95,
    chance: Annotated[float, typer.Option(help="To see a difference that is there.")] = 0.8,
) -> None:
    """How many samples or problems tell two models apart, and the least difference that shows.

    codeloop eval power --problems 164 --samples 4 --difference 1

    codeloop eval power --run runs/2026-01-31
    """
    from evaluator.power import Design

    spread = (discordant or 0.1) / 4 if within is None else within
    for name, (count, dice) in (_measured(run) if run else {"": (problems, spread)}).items():
        share = 4 * dice if discordant is None else discordant
        design = Design(
            num_problems=count,
            num_samples=samples,
            between=max(0.0, share - 2 * dice),
            within=dice,
            confidence=confidence,
            power=chance,
        )
        if name:
            print(f"{name}:")
        print(_plan(design, difference / 100))


def print_table(folder: Path, rules: str = "strict", out: Path | None = None) -> None:
    """Print a run's results as a table, to stdout or a file. Raises JournalBroken."""
    from evaluator.report_table import console, print_report
    from evaluator.results import read_results

    results = read_results(folder, rules)
    if out is None:
        print_report(results, console())
        return
    with _opened(out) as file:
        print_report(results, console(file))


def _rendered(run: Path, shape: ReportFormat, rules: str, cutoff: dt.date | None) -> str:
    from evaluator.export import junit_xml, lm_eval_json, model_card
    from evaluator.report_csv import report_csv
    from evaluator.report_html import report_html
    from evaluator.report_json import report_json
    from evaluator.report_markdown import report_markdown
    from evaluator.results import read_results

    results = read_results(run, rules)
    if shape is ReportFormat.HTML:
        return report_html(results, cutoff=cutoff)
    make = {
        ReportFormat.MARKDOWN: report_markdown,
        ReportFormat.CSV: report_csv,
        ReportFormat.JSON: report_json,
        ReportFormat.HF: model_card,
        ReportFormat.LM_EVAL: lm_eval_json,
        ReportFormat.JUNIT: junit_xml,
    }[shape]
    return make(results)


def _measured(run: Path) -> dict[str, tuple[int, float]]:
    """Problems, and p(1-p) within them, of every suite of a run that has several samples."""
    from evaluator.power import within_variance
    from evaluator.results import read_results

    found = {
        name: (len(suite.counts()), within_variance(suite.counts()))
        for name, suite in read_results(run).suites.items()
    }
    known = {name: plan for name, plan in found.items() if not math.isnan(plan[1])}
    if not known:
        raise UsageRefused(
            f"{run} has one sample a problem: how much samples differ is not in it; give --within"
            " or a run with several"
        )
    return known


def _plan(design: "Design", difference: float) -> str:
    enough = design.samples_for(difference)
    told = f"{enough} samples a problem" if enough else "no number of samples: more problems"
    return (
        f"{design.num_problems} problems x {design.num_samples} samples, {design.confidence:.0%}"
        f" confidence, {design.power:.0%} power, {design.between + 2 * design.within:.1%} of single"
        " samples disagree\n"
        f"  least difference that shows: {100 * design.smallest_difference:.1f} points on problems"
        f" like these, {100 * design.smallest_fixed_set_difference:.1f} on exactly these\n"
        f"  to tell {100 * difference:g} points apart on problems like these:"
        f" {design.problems_for(difference)} problems, or {told}\n"
        f"  to tell {100 * difference:g} points apart on exactly these problems:"
        f" {design.fixed_set_samples_for(difference)} samples a problem"
    )


def _deliver(text: str, out: Path | None) -> None:
    whole = text if text.endswith("\n") else f"{text}\n"
    if out is None:
        typer.echo(whole, nl=False)
        return
    with _opened(out) as file:
        file.write(whole)


def _opened(out: Path) -> TextIO:
    try:
        return out.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageRefused(
            f"{out} cannot be written ({error.strerror}): choose another --out"
        ) from error
