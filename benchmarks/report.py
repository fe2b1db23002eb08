"""What a benchmark prints: figures with their spread over the rounds, targets MET or MISSED."""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

QUICK_ROUNDS = 2
FULL_ROUNDS = 5


def parse(
    description: str | None,
    *,
    rounds: int = FULL_ROUNDS,
    models: Sequence[str] = (),
    minutes: float = 0,
) -> argparse.Namespace:
    """The command line that all benchmarks have in common; --model and --minutes where they fit."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a short version, for a first look")
    parser.add_argument("--rounds", type=int, default=None, help=f"full run: {rounds}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    if models:
        parser.add_argument("--model", choices=models, default=models[0], help="what is served")
    if minutes:
        parser.add_argument("--minutes", type=float, default=None, help=f"full run: {minutes:g}")
    arguments = parser.parse_args()
    if arguments.rounds is None:
        arguments.rounds = min(rounds, QUICK_ROUNDS) if arguments.quick else rounds
    return arguments


def machine() -> str:
    """The machine in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {model}, {gib:.0f} GiB, load average {load:.1f}"


class Report:
    """Prints as it goes, so that an interrupted run still says what it found."""

    def __init__(self, title: str, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._figures: list[dict[str, Any]] = []
        self._title = title
        self._machine = machine()
        print(f"{title}\nmachine: {self._machine}; {arguments.rounds} rounds\n", flush=True)

    def note(self, text: str) -> None:
        """A line for people only."""
        print(text, flush=True)

    def figure(
        self,
        name: str,
        values: Sequence[float],
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """The median of one value a round, its spread, and how it stands to a target."""
        middle = statistics.median(values)
        target, verdict = "", ""
        if at_most is not None:
            target, verdict = f"≤ {at_most:g}", "MET" if middle <= at_most else "MISSED"
        elif at_least is not None:
            target, verdict = f"≥ {at_least:g}", "MET" if middle >= at_least else "MISSED"
        spread = f"({_short(min(values))} .. {_short(max(values))})" if len(values) > 1 else ""
        print(
            f"  {name:<52} {_short(middle):>9} {unit:<12} {spread:<22} {target:<9} {verdict}".rstrip(),
            flush=True,
        )
        self._figures.append(
            {
                "name": name,
                "median": middle,
                "unit": unit,
                "rounds": list(values),
                "target": target,
                "verdict": verdict,
            }
        )

    def finish(self) -> None:
        """Write the figures where --json says."""
        if path := self._arguments.json:
            body = {"title": self._title, "machine": self._machine, "figures": self._figures}
            path.write_text(json.dumps(body, indent=1) + "\n")


def _short(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
