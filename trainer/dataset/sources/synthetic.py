"""SYNTHETIC-1's verifiable coding problems, as PrimeIntellect publishes them or open-r1 has unpacked them."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from trainer.dataset.candidate import Candidate, Drop
from trainer.dataset.hub_problem import HubRow, candidate, parsed, text_of
from trainer.dataset.rows import rows
from trainer.dataset.sources import Place

NAME = "synthetic-1"
LICENCE = "Apache-2.0 (data set); statements (c) their sites"


def load(place: Place) -> Iterator[Candidate | Drop]:
    """The Python problems of the named file."""
    for number, row in enumerate(rows(place.file(NAME))):
        name = f"{NAME}/{row.get('problem_id', number)}"
        try:
            yield _candidate(name, row)
        except (KeyError, TypeError, ValueError, SyntaxError) as error:
            detail = f"{type(error).__name__}: {error}"
            yield Drop(id=name, source=NAME, reason="unsupported", detail=detail)


def _candidate(name: str, row: Mapping[str, Any]) -> Candidate | Drop:
    found = _info(row["verification_info"])
    if found["language"] != "python":
        detail = f"language {found['language']}"
        return Drop(id=name, source=NAME, reason="unsupported", detail=detail)
    cases = found["test_cases"]
    functions = {case.get("fn_name") or "" for case in cases}
    if len(functions) != 1:
        detail = f"{len(functions)} functions in its tests"
        return Drop(id=name, source=NAME, reason="unsupported", detail=detail)
    metadata = _info(row.get("metadata") or "{}")
    return candidate(
        HubRow(
            id=name,
            source=NAME,
            licence=LICENCE,
            statement=text_of(row, "problem_statement", "prompt"),
            inputs=[case["input"] for case in cases],
            outputs=[case["output"] for case in cases],
            function=functions.pop(),
            solutions=[row["gold_standard_solution"]] if row["gold_standard_solution"] else [],
            difficulty=text_of(metadata, "difficulty").lower(),
        )
    )


def _info(value: Any) -> Mapping[str, Any]:
    """A mapping that is written as JSON, or as Python writes it. Raises ValueError, SyntaxError."""
    try:
        found = parsed(value)
    except ValueError:
        found = ast.literal_eval(value)
    if not isinstance(found, Mapping):
        raise ValueError(f"a {type(found).__name__} where a mapping is wanted")
    return found
