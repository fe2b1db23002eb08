"""The table of suites: name → the module that defines it; a module is imported when it is asked for."""

import importlib
from collections.abc import Iterator

from evaluator.errors import UnknownSuite
from evaluator.suite import Suite

SUITES: dict[str, str] = {
    "humaneval": "evaluator.suites.humaneval:HUMANEVAL",
    "humaneval+": "evaluator.suites.humaneval:HUMANEVAL_PLUS",
    "humaneval+noextreme": "evaluator.suites.humaneval:HUMANEVAL_PLUS_NO_EXTREME",
    "humaneval+mini": "evaluator.suites.humaneval:HUMANEVAL_PLUS_MINI",
    "mbpp": "evaluator.suites.mbpp:MBPP",
    "mbpp-sanitized": "evaluator.suites.mbpp:MBPP_SANITIZED",
    "mbpp+": "evaluator.suites.mbpp:MBPP_PLUS",
    "quixbugs": "evaluator.suites.quixbugs:QUIXBUGS",
    "codeforces": "evaluator.suites.codeforces:CODEFORCES",
    "codeforces-tags": "evaluator.suites.codeforces:CODEFORCES_TAGS",
    "code-contests": "evaluator.suites.code_contests:CODE_CONTESTS",
}
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
