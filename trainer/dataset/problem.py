"""A problem to train on: what a model is asked, the tests that reward, and tests that never do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluator.problem import Problem
from evaluator.prompt import Message
from trainer.dataset.tasks import TrainingTask, task_of, task_row
from trainer.errors import DatasetInvalid


@dataclass(frozen=True, kw_only=True)
class TrainingProblem:
    """One problem of a data set.

    id: unique in its data set. kind: what counts as one cluster; answers to problems of one kind
    are not independent. source, licence: of its statement and tests. difficulty: "easy", "medium",
    "hard" or "". messages: the chat; a last assistant turn is a prefill that the model continues.
    stop: strings that end an answer. answer_head: code that stands before the model's answer when
    it is graded, such as the `def` line of the prefill; without it, an answer is a fenced block.
    problem: its task's tests reward. holdout: tests that never do, to watch for hacking. solve_rate:
    share of right answers that some model gave before, where that is known.
    """

    id: str
    kind: str
    source: str
    licence: str
    messages: tuple[Message, ...]
    problem: Problem
    difficulty: str = ""
    stop: tuple[str, ...] = ()
    answer_head: str = ""
    holdout: TrainingTask | None = None
    solve_rate: float | None = None

    def as_row(self) -> dict[str, Any]:
        """Plain data for a JSON line; `from_row` reads it back."""
        return {
            "id": self.id,
            "kind": self.kind,
            "source": self.source,
            "licence": self.licence,
            "difficulty": self.difficulty,
            "messages": [{"role": one.role, "content": one.content} for one in self.messages],
            "stop": list(self.stop),
            "answer_head": self.answer_head,
            "statement": self.problem.statement,
            "language": self.problem.language,
            "reference": self.problem.reference,
            "notes": dict(self.problem.notes),
            "task": task_row(self.problem.task),
            "holdout": None if self.holdout is None else task_row(self.holdout),
            "solve_rate": self.solve_rate,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "TrainingProblem":
        """The problem of a row. Raises DatasetInvalid."""
        try:
            return cls(
                id=row["id"],
                kind=row["kind"],
                source=row["source"],
                licence=row["licence"],
                difficulty=row["difficulty"],
                messages=tuple(Message(**one) for one in row["messages"]),
                stop=tuple(row["stop"]),
                answer_head=row["answer_head"],
                problem=Problem(
                    id=row["id"],
                    statement=row["statement"],
                    task=task_of(row["task"]),
                    language=row["language"],
                    reference=row["reference"],
                    difficulty=row["difficulty"],
                    group=row["kind"],
                    notes=row["notes"],
                ),
                holdout=None if row["holdout"] is None else task_of(row["holdout"]),
                solve_rate=row["solve_rate"],
            )
        except (KeyError, TypeError) as error:
            raise DatasetInvalid(
                f"problem {row.get('id', '(no id)')!r} is not whole ({type(error).__name__}: {error}):"
                " build the data set again"
            ) from error


def of_difficulty(
    problems: Sequence[TrainingProblem], wanted: Sequence[str]
) -> Sequence[TrainingProblem]:
    """Those of the difficulties; all where none is named. Raises DatasetInvalid when nothing is left."""
    if not wanted or not problems:
        return problems
    found = [problem for problem in problems if problem.difficulty.lower() in wanted]
    if not found:
        there = ", ".join(sorted({problem.difficulty for problem in problems}))
        raise DatasetInvalid(
            f"difficulties is {list(wanted)} and no problem is of these: the data set has {there}"
        )
    return found
