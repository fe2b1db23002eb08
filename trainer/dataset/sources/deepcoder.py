"""DeepCoder-Preview-Dataset: problem, solutions and tests; its parts taco, primeintellect and lcbv5.

lcbv5's tests all reward, as they did there; the others' 15 longest.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from trainer.dataset.candidate import Candidate, Drop
from trainer.dataset.hub_problem import HubRow, candidate, parsed, text_of
from trainer.dataset.rows import rows
from trainer.dataset.sources import Place

NAME = "deepcoder"
LICENCE = "MIT (data set); statements (c) their sites"


def load(place: Place) -> Iterator[Candidate | Drop]:
    """The problems of the named file."""
    for number, row in enumerate(rows(place.file(NAME))):
        name = f"{NAME}/{row.get('uid') or number}"
        try:
            yield candidate(_row(name, row))
        except (KeyError, TypeError, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"
            yield Drop(id=name, source=NAME, reason="unsupported", detail=detail)


def _row(name: str, row: Mapping[str, Any]) -> HubRow:
    tests = parsed(row["tests"])
    if isinstance(tests, Mapping):
        inputs, outputs = tests["inputs"], tests["outputs"]
        functions, kinds = {tests.get("fn_name") or ""}, set[str]()
    else:
        inputs = [test["input"] for test in tests]
        outputs = [test["output"] for test in tests]
        kinds = {test["testtype"] for test in tests if "testtype" in test}
        functions = {_function(test) for test in tests}
    metadata = parsed(row.get("metadata") or "{}")
    function = metadata.get("func_name") or (functions.pop() if len(functions) == 1 else "")
    return HubRow(
        id=name,
        source=NAME,
        licence=LICENCE,
        statement=row["problem"],
        inputs=inputs,
        outputs=outputs,
        function="" if kinds == {"stdin"} else function,
        solutions=row.get("solutions") or [],
        starter_code=text_of(row, "starter_code"),
        difficulty=text_of(metadata, "difficulty").lower(),
        uses_all_tests=bool(kinds),
    )


def _function(test: Mapping[str, Any]) -> str:
    return text_of(test, "fn_name") or text_of(test.get("metadata") or {}, "func_name")
