"""LiveCodeBench's problems of 2023-05 to 2024-07, as DeepCoder trained on them; all tests reward.

The release's own files are needed, as for the suite. They hold no solutions: name some with
--solutions.
"""

from collections.abc import Iterator

from evaluator.prompt import Chat
from evaluator.suites import suite
from evaluator.suites.livecodebench import chat_prompt
from trainer.dataset.candidate import Candidate
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.sources import Place

NAME = "livecodebench"
WINDOW = "2023-05-01..2024-08-01"


def load(place: Place) -> Iterator[Candidate]:
    """The window's problems."""
    found = suite(f"livecodebench@{WINDOW}")
    for problem in found.load(place.data):
        prompt = chat_prompt(problem)
        assert isinstance(prompt, Chat)
        name = f"{NAME}/{problem.id}"
        yield Candidate(
            problem=TrainingProblem(
                id=name,
                kind=name,
                source=NAME,
                licence=found.licence,
                difficulty=problem.difficulty,
                messages=prompt.messages,
                problem=problem,
            ),
            uses_all_tests=True,
        )
