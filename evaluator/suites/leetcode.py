"""LeetCode sets: LeetCodeDataset's dated test split, and DeepSeek-Coder's contest set.

leetcode-dataset: 228 problems of 2024-08-04 to 2025-03-30, some 106 cases each, graded by the set's
own check() (newfacade/LeetCodeDataset v0.3.1). leetcode-contest: 180 problems of July 2023 to January
2024, some 100 asserts each (deepseek-ai/DeepSeek-Coder Evaluation/LeetCode); the asserts are plain
calls and are read as such, so that values are compared outside the program; those that are not plain
(2 problems with linked lists or trees) are left out.
"""

import ast
import datetime as dt
from collections.abc import Sequence
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import CallTask, CheckTask, Problem
from evaluator.prompt import Prompt, ask
from evaluator.suite import Suite
from evaluator.suites.livecodebench import LEETCODE, chat_prompt

CONTEST_FILE = SourceFile(
    path="leetcode_contest/leetcode_contest_2307_2401.jsonl.gz",
    url="https://github.com/deepseek-ai/DeepSeek-Coder/tree/main/Evaluation/LeetCode",
    sha256="d24803febdaa4c12bea0224d6f904bdd8d9d98c739101992b4c4dd13e9a69a3f",
    rows=180,
)


def load_dataset(data: DataFolder) -> Sequence[Problem]:
    """The 228 dated problems."""
    return [
        Problem(
            id=row["task_id"],
            statement=row["problem_description"],
            task=CheckTask(
                entry_point=row["entry_point"],
                setup=row["prompt"] + "\n",
                test=row["test"],
                reference=row["completion"],
                seconds=15.0,
            ),
            reference=row["completion"],
            date=dt.date.fromisoformat(row["estimated_date"]),
            difficulty=row["difficulty"].lower(),
            notes={"starter_code": row["starter_code"]},
        )
        for row in data.rows(LEETCODE)
    ]


def load_contest(data: DataFolder) -> Sequence[Problem]:
    """The contest problems whose asserts are plain calls."""
    problems = []
    for row in data.rows(CONTEST_FILE):
        found = plain_calls(row["test"])
        if found is None:
            continue
        function, calls = found
        problems.append(
            Problem(
                id=row["task_id"],
                statement=row["prompt_sft"],
                task=CallTask(function=function, tests=calls),
                date=dt.datetime.fromtimestamp(row["start_time"], dt.UTC).date(),
            )
        )
    return problems


def plain_calls(test: str) -> tuple[str, tuple[tuple[tuple[Any, ...], Any], ...]] | None:
    """The method that a test calls, with the arguments and the value of each assert.

    Understands `test_input = {…}` followed by `assert my_solution.m(**test_input) == value`; None
    for anything else.
    """
    function, arguments, calls = "", None, []
    for node in ast.parse(test).body:
        try:
            match node:
                case ast.Assign(targets=[ast.Name("my_solution")]):
                    continue
                case ast.Assign(targets=[ast.Name("test_input")], value=value):
                    arguments = tuple(ast.literal_eval(value).values())
                case ast.Assert(
                    test=ast.Compare(
                        left=ast.Call(func=ast.Attribute(ast.Name("my_solution"), name)),
                        ops=[ast.Eq()],
                        comparators=[value],
                    )
                ) if arguments is not None:
                    function = name
                    calls.append((arguments, ast.literal_eval(value)))
                case _:
                    return None
        except ValueError:
            return None
    return (function, tuple(calls)) if calls else None


def contest_prompt(problem: Problem) -> Prompt:
    """The set's own instruction, which ends with the starter code."""
    return ask(problem.statement)


LEETCODE_DATASET = Suite(
    name="leetcode-dataset",
    title="LeetCodeDataset, test split",
    source="https://github.com/newfacade/LeetCodeDataset",
    licence="MIT; statements (c) LeetCode",
    files=(LEETCODE,),
    load=load_dataset,
    prompt=chat_prompt,
    official_extraction="livecodebench",
)
LEETCODE_CONTEST = Suite(
    name="leetcode-contest",
    title="LeetCode contests 2023-07 to 2024-01",
    source="https://github.com/deepseek-ai/DeepSeek-Coder",
    licence="MIT; statements (c) LeetCode",
    files=(CONTEST_FILE,),
    load=load_contest,
    prompt=contest_prompt,
)
