"""TACO as BAAI/TACO and TACO-verified publish it: question, solutions and input_output, the last two JSON."""

from collections.abc import Iterator

from trainer.dataset.candidate import Candidate, Drop
from trainer.dataset.hub_problem import HubRow, candidate, parsed, text_of
from trainer.dataset.rows import rows
from trainer.dataset.sources import Place

NAME = "taco"
LICENCE = "Apache-2.0 (data set); statements (c) their sites"


def load(place: Place) -> Iterator[Candidate | Drop]:
    """The problems of the named file."""
    for number, row in enumerate(rows(place.file(NAME))):
        name = f"{NAME}/{row.get('id', number)}"
        try:
            tests = parsed(row["input_output"])
            yield candidate(
                HubRow(
                    id=name,
                    source=NAME,
                    licence=LICENCE,
                    statement=row["question"],
                    inputs=tests["inputs"],
                    outputs=tests["outputs"],
                    function=tests.get("fn_name") or "",
                    solutions=parsed(row["solutions"] or "[]"),
                    starter_code=text_of(row, "starter_code"),
                    difficulty=text_of(row, "difficulty").lower(),
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"
            yield Drop(id=name, source=NAME, reason="unsupported", detail=detail)
