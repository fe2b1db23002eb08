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
    "aider-polyglot": "evaluator.suites.polyglot:POLYGLOT",
    "aider-polyglot-python": "evaluator.suites.polyglot:PYTHON",
    "aider-polyglot-javascript": "evaluator.suites.polyglot:JAVASCRIPT",
    "aider-polyglot-java": "evaluator.suites.polyglot:JAVA",
    "aider-polyglot-go": "evaluator.suites.polyglot:GO",
    "aider-polyglot-rust": "evaluator.suites.polyglot:RUST",
    "aider-polyglot-cpp": "evaluator.suites.polyglot:CPP",
    "codeforces": "evaluator.suites.codeforces:CODEFORCES",
    "codeforces-tags": "evaluator.suites.codeforces:CODEFORCES_TAGS",
    "code-contests": "evaluator.suites.code_contests:CODE_CONTESTS",
    "aime2024": "evaluator.suites.aime:AIME_2024",
    "aime2025": "evaluator.suites.aime:AIME_2025",
    "math500": "evaluator.suites.math500:MATH_500",
    "cruxeval-o": "evaluator.suites.cruxeval:CRUXEVAL_O",
    "cruxeval-o-cot": "evaluator.suites.cruxeval:CRUXEVAL_O_COT",
    "cruxeval-i": "evaluator.suites.cruxeval:CRUXEVAL_I",
    "cruxeval-i-cot": "evaluator.suites.cruxeval:CRUXEVAL_I_COT",
    "santacoder": "evaluator.suites.santacoder:SANTACODER",
    "needle": "evaluator.suites.needle:NEEDLE",
    "needle-8k": "evaluator.suites.needle:NEEDLE_8K",
    "needle-32k": "evaluator.suites.needle:NEEDLE_32K",
    "needle-128k": "evaluator.suites.needle:NEEDLE_128K",
    "multipl-e-python": "evaluator.suites.multipl_e:PYTHON",
    "multipl-e-cpp": "evaluator.suites.multipl_e:CPP",
    "multipl-e-java": "evaluator.suites.multipl_e:JAVA",
    "multipl-e-php": "evaluator.suites.multipl_e:PHP",
    "multipl-e-ts": "evaluator.suites.multipl_e:TS",
    "multipl-e-cs": "evaluator.suites.multipl_e:CS",
    "multipl-e-sh": "evaluator.suites.multipl_e:SH",
    "multipl-e-js": "evaluator.suites.multipl_e:JS",
    "multipl-e-go": "evaluator.suites.multipl_e:GO",
    "multipl-e-rs": "evaluator.suites.multipl_e:RS",
    "humaneval-x-cpp": "evaluator.suites.humaneval_x:CPP",
    "humaneval-x-java": "evaluator.suites.humaneval_x:JAVA",
    "humaneval-x-js": "evaluator.suites.humaneval_x:JS",
    "humaneval-x-go": "evaluator.suites.humaneval_x:GO",
    "humaneval-x-rust": "evaluator.suites.humaneval_x:RUST",
    "humaneval-x-python": "evaluator.suites.humaneval_x:PYTHON",
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
