"""Which of a problem's tests reward, and which of the others are kept to watch for hacking.

As published by DeepCoder: the 15 tests with the longest input (rLLM rewards/code_reward.py); there, a
task of function calls lost the function's name on the way. The rest gives hold-out tests, spread evenly
over their lengths.
"""

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from evaluator.problem import CallTask, CheckTask, FunctionTask, StdioTask
from trainer.dataset.tasks import TrainingTask

MOST_REWARDING = 15
MOST_HOLDOUT = 5

T = TypeVar("T")


def divided(task: TrainingTask) -> tuple[TrainingTask, TrainingTask | None]:
    """The task with the tests that reward, and one with hold-out tests where any are left."""
    match task:
        case CallTask():
            kept, rest = _longest(task.tests, [len(repr(given)) for given, _ in task.tests])
            return replace(task, tests=kept), replace(task, tests=rest) if rest else None
        case StdioTask():
            pairs, others = _longest(task.tests, [len(given) for given, _ in task.tests])
            return replace(task, tests=pairs), replace(task, tests=others) if others else None
        case FunctionTask():
            inputs = task.base_inputs + task.plus_inputs
            some, left = _longest(inputs, [len(repr(given)) for given in inputs])
            rewarding = replace(task, base_inputs=some, plus_inputs=())
            return rewarding, replace(rewarding, base_inputs=left) if left else None
        case CheckTask():
            return _divided_check(task)
        case _:
            return task, None


def _longest(tests: Sequence[T], lengths: Sequence[int]) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """The tests with the longest input, in their own order; and a few of the others."""
    by_length = sorted(range(len(tests)), key=lambda number: -lengths[number])
    kept, rest = set(by_length[:MOST_REWARDING]), by_length[MOST_REWARDING:]
    step = max(1, len(rest) // MOST_HOLDOUT)
    return (
        tuple(test for number, test in enumerate(tests) if number in kept),
        tuple(tests[number] for number in rest[::step][:MOST_HOLDOUT]),
    )


def _divided_check(task: CheckTask) -> tuple[TrainingTask, TrainingTask | None]:
    """Asserts of a `check` function are tests, where it holds nothing else."""
    body = ast.parse(task.test).body
    match body:
        case [ast.FunctionDef(name="check", body=asserts) as check] if all(
            isinstance(one, ast.Assert) for one in asserts
        ):
            kept, rest = _longest(asserts, [len(ast.unparse(one)) for one in asserts])
        case _:
            return task, None
    if not rest:
        return task, None

    def with_asserts(chosen: Sequence[ast.stmt]) -> CheckTask:
        made = ast.FunctionDef(**{**vars(check), "body": list(chosen)})
        return replace(task, test=ast.unparse(made) + "\n")

    return with_asserts(kept), with_asserts(rest)
