"""Reads the families of short functions: what a text says, and the expression that does it.

A family is a TOML file of `families/`: selections that meet results, and single functions. What they
give is a form, whose `<name>`s are filled with drawn constants.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from trainer.errors import DatasetInvalid

FOLDER = Path(__file__).parent / "families"
_PLACE = re.compile(r"<(\w+)>")


@dataclass(frozen=True, kw_only=True)
class Form:
    """A function with places for constants.

    kind: family/result.selection, or family/name. text: what follows "Return". expression: its
    value, in the arguments' names. rival: what a form of the same result shares with its rivals.
    """

    kind: str
    arguments: str
    inputs: tuple[str, ...]
    text: str
    expression: str
    rival: str = ""

    @property
    def has_places(self) -> bool:
        """Whether constants make a difference."""
        return bool(_PLACE.search(self.text + self.expression))


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A template with its places filled. Raises DatasetInvalid for a name that has no value."""

    def value(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise DatasetInvalid(
                f"a short function has the place <{place[1]}>: there are {', '.join(values)}"
            )
        return str(values[place[1]])

    return _PLACE.sub(value, template)


@cache
def forms() -> tuple[Form, ...]:
    """Every form of every family, in the files' order."""
    return tuple(form for path in sorted(FOLDER.glob("*.toml")) for form in _forms(path))


def _forms(path: Path) -> list[Form]:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    family, arguments, inputs = path.stem, table["arguments"], tuple(table["inputs"])

    def form(name: str, text: str, expression: str, rival: str) -> Form:
        return Form(
            kind=f"{family}/{name}",
            arguments=arguments,
            inputs=inputs,
            text=text,
            expression=expression,
            rival=rival,
        )

    found = [
        form(
            f"{result}.{selection}",
            text.replace("<which>", which),
            expression.replace("<test>", test),
            f"{family}/{result}",
        )
        for result, (text, expression) in table.get("results", {}).items()
        for selection, (which, test) in table.get("selections", {}).items()
    ]
    single = table.get("single", {}).items()
    return found + [form(name, text, expression, "") for name, (text, expression) in single]
