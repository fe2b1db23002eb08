"""`codeloop train report`: what a run came to, as a table, JSON, one HTML page, or for TensorBoard."""

import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluator.errors import UsageRefused

if TYPE_CHECKING:
    from trainer.curves import RunLog


class ReportFormat(StrEnum):
    """What a report can be."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)],
    shape: Annotated[
        ReportFormat | None,
        typer.Option(
            "--format",
            "-f",
            help="What to make; by --out's ending, else a table.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write there, not to stdout.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="RUN2", help="A second run, for its curves and its gain.")
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write TensorBoard's event files there.")
    ] = None,
) -> None:
    """A training run: curves, held-out gain with its interval, alarms and answers, from its log alone.

    Also of a run that is under way, or was cut short.

    codeloop train report runs/try --out report.html

    codeloop train report runs/try --compare runs/control
    """
    from evaluator.report_table import console
    from trainer.curves import read_run
    from trainer.report.table import print_run

    log, other = read_run(run), read_run(compare) if compare else None
    if tensorboard is not None:
        from trainer.tensorboard_log import write_tensorboard

        write_tensorboard(log, tensorboard)
    if shape is None:
        endings = {".html": ReportFormat.HTML, ".json": ReportFormat.JSON}
        shape = endings.get(out.suffix if out else "", ReportFormat.TABLE)
    if out is None and shape is ReportFormat.TABLE:
        # Straight to the terminal, which has colours and a width.
        print_run(log, other, console())
        return
    text = _rendered(log, other, shape)
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageRefused(
            f"{out} cannot be written ({error.strerror}): choose another --out"
        ) from error
    typer.echo(f"wrote {out}")


def _rendered(log: "RunLog", other: "RunLog | None", shape: ReportFormat) -> str:
    if shape is ReportFormat.HTML:
        from trainer.report.page import report_page

        return report_page(log, other)
    if shape is ReportFormat.JSON:
        from trainer.report.as_json import report_json

        return report_json(log, other)
    from evaluator.report_table import console
    from trainer.report.table import print_run

    text = io.StringIO()
    print_run(log, other, console(text))
    return text.getvalue()
