"""`codeloop eval gate`: whether a checkpoint may replace the live one, as an exit code and as data."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluator.errors import EvaluatorError, GateInvalid, UsageRefused

if TYPE_CHECKING:
    from evaluator.gate import Verdict
    from evaluator.gate_file import Gate

PASSED, USAGE, RUN_ERROR, FAILED, INCONCLUSIVE = 0, 1, 2, 3, 4
EXIT = {"passed": PASSED, "failed": FAILED, "inconclusive": INCONCLUSIVE}


def gate(
    file: Annotated[
        Path, typer.Argument(metavar="GATE.toml", help="What is asked.", show_default=False)
    ],
    candidate: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The candidate's run; needed.")
    ] = None,
    live: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The live version's run.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the answer and its evidence as JSON.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Also write the JSON there.")
    ] = None,
) -> None:
    """Whether a checkpoint may replace the live one.

    Exit code: 0 passed, 1 wrong usage, 2 the runs cannot be judged, 3 failed, 4 inconclusive.

    A gate file names suites, and what each asks, as shares from 0 to 1: a floor of the score, a margin
    (not worse than live by more than that), an improvement (better than live by more).

    confidence = 0.95

    \\[suites."humaneval+"]

    floor = 0.10

    margin = 0.02

    codeloop eval gate gate.toml --candidate runs/step-100 --live runs/live
    """
    try:
        asked = gate_for(file, live)
        if candidate is None:
            raise UsageRefused("--candidate is missing: name the run of the checkpoint to judge")
        verdict = decided(asked, candidate, live)
        text = json.dumps(verdict.as_data(), indent=2, ensure_ascii=False)
        if out is not None:
            out.write_text(text + "\n", encoding="utf-8")
    except (EvaluatorError, OSError) as error:
        typer.secho(f"codeloop: {error}", fg="red", err=True)
        raise typer.Exit(
            USAGE if isinstance(error, GateInvalid | UsageRefused) else RUN_ERROR
        ) from error
    if as_json:
        typer.echo(text)
    else:
        print_verdict(verdict)
    raise typer.Exit(EXIT[verdict.name])


def gate_for(file: Path, live: Path | None) -> "Gate":
    """The gate of a file. Raises GateInvalid, and UsageRefused when it needs a live run to compare."""
    from evaluator.gate_file import read_gate

    asked = read_gate(file)
    if asked.needs_live and live is None:
        raise UsageRefused(
            "--live is missing: this gate compares with the live version; name its run, or take"
            " margin and improvement out of the gate"
        )
    return asked


def decided(asked: "Gate", candidate: Path, live: Path | None) -> "Verdict":
    """The answer for a candidate's run, beside the live version's where there is one."""
    from evaluator.gate import decide
    from evaluator.results import read_results

    return decide(
        asked,
        read_results(candidate, asked.rules),
        read_results(live, asked.rules) if live else None,
    )


def print_verdict(verdict: "Verdict") -> None:
    """The answer and what each check came to."""
    typer.echo(f"{verdict.name}, at {verdict.confidence:.0%} confidence")
    for check in verdict.checks:
        typer.echo(f"  {check.answer:<6} {check.suite}, {check.kind}: {check.text}")
