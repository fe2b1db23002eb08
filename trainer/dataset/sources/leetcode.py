"""LeetCodeDataset v0.2.0, train split: a method of class Solution, its cases as asserts, a solution.

Asserts on plain values are read as calls; those on linked lists and trees stay code, which is run with
the reference beside it.
"""

import ast
from collections.abc import Iterator
from typing import Any

from evaluator.data import SourceFile
from evaluator.problem import CallTask, CheckTask, Problem
from evaluator.prompt import Chat
from evaluator.suites.livecodebench import chat_prompt
from trainer.dataset.calls import plain_calls
from trainer.dataset.candidate import Candidate, Drop
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.sources import Place

NAME = "leetcode"
LICENCE = "MIT; statements (c) LeetCode"
FILE = SourceFile(
    path="leetcode_dataset/leetcode-v0.2.0-train.jsonl.gz",
    url="https://github.com/newfacade/LeetCodeDataset",
    sha256="008c3b70faf19e81475fc6d988b5b8044ee1470179cb2515895f1a26a94bf1d6",
    rows=1890,
)
SECONDS = 6.0


def load(place: Place) -> Iterator[Candidate | Drop]:
    """Every problem of the file."""
    for row in place.data.rows(FILE):
        name = f"{NAME}/{row['task_id']}"
        asserts = _asserts(row["test"])
        if asserts is None:
            yield Drop(id=name, source=NAME, reason="unsupported", detail="no check() of asserts")
        else:
            yield _candidate(name, row, asserts)


def _asserts(test: str) -> list[ast.stmt] | None:
    match ast.parse(test).body:
        case [ast.FunctionDef(name="check", body=body)]:
            return body
    return None


def _candidate(name: str, row: dict[str, Any], asserts: list[ast.stmt]) -> Candidate:
    meta, method = row["meta"], row["entry_point"].rpartition(".")[2]
    program = f"{row['prompt']}\n{row['completion']}"
    calls = plain_calls(asserts)
    task: CallTask | CheckTask
    if calls is not None:
        task = CallTask(function=method, tests=calls[1], seconds=SECONDS)
    else:
        task = CheckTask(
            entry_point=row["entry_point"],
            setup=row["prompt"] + "\n",
            test=row["test"],
            reference=row["completion"],
            seconds=SECONDS,
        )
    problem = Problem(
        id=name,
        statement=meta["question_title"],
        task=task,
        reference=program if calls is not None else row["completion"],
        difficulty=meta["difficulty"].lower(),
        notes={"starter_code": meta["lang_code"]},
    )
    prompt = chat_prompt(problem)
    assert isinstance(prompt, Chat)
    assert problem.reference is not None
    return Candidate(
        problem=TrainingProblem(
            id=name,
            kind=name,
            source=NAME,
            licence=LICENCE,
            difficulty=problem.difficulty,
            messages=prompt.messages,
            problem=problem,
        ),
        solutions=(problem.reference,),
        num_tests=len(asserts),
    )
