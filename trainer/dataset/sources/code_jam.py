"""Code Jam and Kick Start: real contests with the judges' files, each of which holds many cases.

The archive has no solutions: name some with --solutions, or all are left out as not verified.
"""

from collections.abc import Iterator

from evaluator.data import SourceFile
from evaluator.problem import Problem, StdioTask
from evaluator.prompt import Chat
from evaluator.suites.livecodebench import chat_prompt
from trainer.dataset.candidate import Candidate
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.sources import Place

NAME = "code-jam"
LICENCE = "Apache-2.0"
FILE = SourceFile(
    path="code_jam/code_jam_kick_start.jsonl.gz",
    url="https://github.com/google/coding-competitions-archive",
    sha256="2d6caa2264935229ab66b48013d9ec6f62ead3bdca3ae50b6c525f832c261f88",
    rows=556,
)
SECONDS = 20.0
"""A file holds some hundred cases."""


def load(place: Place) -> Iterator[Candidate]:
    """Every problem of the archive that compares words and numbers."""
    for row in place.data.rows(FILE):
        name = f"{NAME}/{row['problem_id']}"
        problem = Problem(
            id=name,
            statement=row["statement"],
            task=StdioTask(
                tests=tuple((test["input"], test["output"]) for test in row["tests"]),
                compare=f"float:{row['float_tolerance']}",
                seconds=SECONDS,
            ),
            notes={"starter_code": ""},
        )
        prompt = chat_prompt(problem)
        assert isinstance(prompt, Chat)
        yield Candidate(
            problem=TrainingProblem(
                id=name,
                kind=name,
                source=NAME,
                licence=LICENCE,
                messages=prompt.messages,
                problem=problem,
            ),
            uses_all_tests=True,
            num_tests=row["cases_total"],
        )
