"""An organisation's own suite: a folder in the form of `codeloop eval new`, repositories with tests included."""

from collections.abc import Iterator

from evaluator.private import load_private
from evaluator.prompt import Chat
from trainer.dataset.candidate import Candidate, Drop
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.sources import Place
from trainer.dataset.tasks import KINDS


def load(place: Place) -> Iterator[Candidate | Drop]:
    """The suite's problems, their references as solutions."""
    assert place.path is not None
    suite = load_private(place.path)
    for problem in suite.load(place.data):
        name, prompt = f"{suite.name}/{problem.id}", suite.prompt(problem)
        if not isinstance(problem.task, tuple(KINDS.values())) or not isinstance(prompt, Chat):
            detail = f"a {type(problem.task).__name__} gives no reward by tests"
            yield Drop(id=name, source=suite.name, reason="unsupported", detail=detail)
            continue
        yield Candidate(
            problem=TrainingProblem(
                id=name,
                kind=problem.group or name,
                source=suite.name,
                licence=suite.licence,
                difficulty=problem.difficulty,
                messages=prompt.messages,
                problem=problem,
            ),
            solutions=() if problem.reference is None else (problem.reference,),
        )
