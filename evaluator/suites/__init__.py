"""The table of suites: name → the module that defines it; a module is imported when it is asked for."""

import importlib
from collections.abc import Iterator

from evaluator.errors import UnknownSuite
from evaluator.suite import Suite

SUITES: dict[str, str] = {}
"""Name → "module:attribute"."""


def suite(name: str) -> Suite:
    """The suite of a name. Raises UnknownSuite."""
    try:
        module, _, attribute = SUITES[name].partition(":")
    except KeyError:
        raise UnknownSuite(
            f"there is no suite {name!r}: there are {', '.join(SUITES)}; a folder of your own is"
            " named with a slash, such as ./my_suite"
        ) from None
    found: Suite = getattr(importlib.import_module(module), attribute)
    return found


def suites() -> Iterator[Suite]:
    """Every suite, in the table's order."""
    return map(suite, SUITES)
