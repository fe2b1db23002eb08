"""A plot with its reading aid, and how values look on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from trainer.curves import RunLog
from trainer.metrics import BY_NAME
from trainer.report.charts import Points

NOTHING = Markup("")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """legend: a class of the page's style, and what it stands for. An empty plot is not shown."""

    title: str
    plot: Markup = NOTHING
    legend: Sequence[tuple[str, str]] = ()
    hint: str = ""


def points_of(log: RunLog, name: str) -> Points:
    """A metric over the run's iterations; nan where it is not known."""
    read = BY_NAME[name].read
    return [(row["iteration"], read(row)) for row in log.iterations]


def numbered(names: Iterable[str]) -> list[tuple[str, str]]:
    """A legend of colours in turn."""
    return [(f"k{place}", name) for place, name in enumerate(names)]


def share(value: float) -> str:
    return f"{100 * value:.3g} %"


def small(value: float) -> str:
    return f"{value:.3g}"


def gigabytes(value: float) -> str:
    return f"{value / 1e9:.3g} GB"
