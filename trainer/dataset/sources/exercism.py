"""Exercism's exercises by their canonical cases: one function, its inputs in the cases' order.

Left out: exercises of several functions, cases that expect an error. The specifications have no
solutions: name some with --solutions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evaluator.data import SourceFile
from evaluator.problem import CallTask, Problem
from evaluator.prompt import ask
from trainer.dataset.candidate import Candidate, Drop
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.sources import Place

NAME = "exercism"
LICENCE = "MIT"
FILE = SourceFile(
    path="exercism/problem-specifications.jsonl.gz",
    url="https://github.com/exercism/problem-specifications",
    sha256="edbca5b7e0afe2bf43599063f59b42c1960f501ef9dc5a4300d2e545823488e8",
    rows=142,
)
_ASK = (
    "{description}\n\nWrite the Python function `{signature}`. Example: `{example}`.\n\n"
    "Answer with one ```python block that holds the whole program."
)


def load(place: Place) -> Iterator[Candidate | Drop]:
    """The exercises of one function."""
    for row in place.data.rows(FILE):
        yield _candidate(f"{NAME}/{row['exercise']}", row)


def _cases(items: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        if "cases" in item:
            yield from _cases(item["cases"])
        else:
            yield item


def _candidate(name: str, row: Mapping[str, Any]) -> Candidate | Drop:
    cases = [one for one in _cases(row["canonical"]["cases"]) if not _is_error(one["expected"])]
    forms = {(one["property"], tuple(one["input"])) for one in cases}
    if len(forms) != 1:
        detail = f"{len(forms)} functions or forms of arguments where one is wanted"
        return Drop(id=name, source=NAME, reason="unsupported", detail=detail)
    ((function, arguments),) = forms
    called, names = _snake(function), [_snake(one) for one in arguments]
    tests = tuple((tuple(one["input"].values()), one["expected"]) for one in cases)
    given, expected = min(tests, key=lambda test: len(repr(test)))
    example = f"{called}({', '.join(map(repr, given))}) == {expected!r}"
    signature = f"{called}({', '.join(names)})"
    text = _ASK.format(description=row["description"], signature=signature, example=example)
    return Candidate(
        problem=TrainingProblem(
            id=name,
            kind=name,
            source=NAME,
            licence=LICENCE,
            messages=ask(text).messages,
            problem=Problem(
                id=name,
                statement=row["description"],
                task=CallTask(function=called, tests=tests),
            ),
        )
    )


def _is_error(expected: Any) -> bool:
    return isinstance(expected, dict) and set(expected) == {"error"}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
