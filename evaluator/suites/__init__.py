"""The table of suites: name → the module that defines it; a module is imported when it is asked for."""

import datetime as dt
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from evaluator.data import DataFolder
from evaluator.errors import UnknownSuite, UsageRefused
from evaluator.problem import Problem
from evaluator.suite import Suite

SUITES: dict[str, str] = {
    "humaneval": "evaluator.suites.humaneval:HUMANEVAL",
    "humaneval+": "evaluator.suites.humaneval:HUMANEVAL_PLUS",
    "humaneval+noextreme": "evaluator.suites.humaneval:HUMANEVAL_PLUS_NO_EXTREME",
    "humaneval+mini": "evaluator.suites.humaneval:HUMANEVAL_PLUS_MINI",
    "mbpp": "evaluator.suites.mbpp:MBPP",
    "mbpp-sanitized": "evaluator.suites.mbpp:MBPP_SANITIZED",
    "mbpp+": "evaluator.suites.mbpp:MBPP_PLUS",
    "livecodebench": "evaluator.suites.livecodebench:RELEASE_V5",
    "livecodebench-v6": "evaluator.suites.livecodebench:RELEASE_V6",
    "livecodebench-leetcode": "evaluator.suites.livecodebench:LEETCODE_PART",
    "livecodebench-samples": "evaluator.suites.livecodebench:SAMPLES",
    "leetcode-dataset": "evaluator.suites.leetcode:LEETCODE_DATASET",
    "leetcode-contest": "evaluator.suites.leetcode:LEETCODE_CONTEST",
    "humaneval-infilling-single": "evaluator.suites.infilling:SINGLE",
    "humaneval-infilling-multi": "evaluator.suites.infilling:MULTI",
    "humaneval-infilling-span": "evaluator.suites.infilling:SPAN",
    "humaneval-infilling-span-light": "evaluator.suites.infilling:SPAN_LIGHT",
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
    """The suite of a name, or its problems in a window: livecodebench@2024-08-01..2025-02-01.

    The window has its first day in it and not its last; either may be left out. Raises
    UnknownSuite, UsageRefused.
    """
    name, _, window = name.partition("@")
    try:
        module, _, attribute = SUITES[name].partition(":")
    except KeyError:
        raise UnknownSuite(
            f"there is no suite {name!r}: there are {', '.join(SUITES)}; a folder of your own is"
            " named with a slash, such as ./my_suite"
        ) from None
    found: Suite = getattr(importlib.import_module(module), attribute)
    return in_window(found, window) if window else found


def in_window(whole: Suite, window: str) -> Suite:
    """The suite's problems of a window of dates; those without a date are left out."""
    first, dots, last = window.partition("..")
    try:
        start = dt.date.fromisoformat(first) if first else dt.date.min
        end = dt.date.fromisoformat(last) if last else dt.date.max
    except ValueError:
        dots = ""
    if not dots:
        raise UsageRefused(
            f"the window {window!r} of {whole.name} is none: write two days, as in"
            f" {whole.name}@2024-08-01..2025-02-01"
        )

    def load(data: DataFolder) -> Sequence[Problem]:
        return [one for one in whole.load(data) if one.date and start <= one.date < end]

    return replace(whole, name=f"{whole.name}@{window}", load=load)


def suites() -> Iterator[Suite]:
    """Every suite, in the table's order."""
    return map(suite, SUITES)
