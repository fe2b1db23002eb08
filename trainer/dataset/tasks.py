"""The kinds of task that training uses, as JSON rows and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from evaluator.problem import CallTask, CheckTask, FunctionTask, RepositoryTask, StdioTask
from trainer.dataset.plain import from_json, to_json
from trainer.errors import DatasetInvalid

TrainingTask = CheckTask | CallTask | StdioTask | FunctionTask | RepositoryTask
KINDS: dict[str, type[TrainingTask]] = {
    "check": CheckTask,
    "call": CallTask,
    "stdio": StdioTask,
    "function": FunctionTask,
    "repository": RepositoryTask,
}


def training_task(task: object) -> TrainingTask:
    """The task, of a kind that training uses. Raises DatasetInvalid for another."""
    if isinstance(task, CheckTask | CallTask | StdioTask | FunctionTask | RepositoryTask):
        return task
    raise DatasetInvalid(
        f"a {type(task).__name__} cannot reward: training uses {', '.join(KINDS)} tasks; leave its"
        " problem out"
    )


def task_row(task: object) -> dict[str, Any]:
    """Plain data of a task. Raises DatasetInvalid for a kind that training does not use."""
    known = training_task(task)
    kind = next(kind for kind, made in KINDS.items() if type(known) is made)
    return {"kind": kind} | {name: to_json(value) for name, value in vars(known).items()}


def task_of(row: Mapping[str, Any]) -> TrainingTask:
    """The task of a row. Raises DatasetInvalid."""
    values = dict(row)
    kind = values.pop("kind", None)
    if kind not in KINDS:
        raise DatasetInvalid(f"a task's kind is {kind!r}: there are {', '.join(KINDS)}")
    made = KINDS[kind]
    known = {field.name for field in fields(made)}
    if unknown := sorted(values.keys() - known):
        raise DatasetInvalid(
            f"a {kind} task has the field {unknown[0]!r}: there are {', '.join(sorted(known))}"
        )
    try:
        return made(**{name: from_json(value) for name, value in values.items()})
    except TypeError as error:
        raise DatasetInvalid(f"a {kind} task is not whole: {error}") from error


def num_tests(task: TrainingTask) -> int:
    """Tests that decide: inputs, calls, asserts. A repository's are not counted: 0."""
    match task:
        case CallTask() | StdioTask():
            return len(task.tests)
        case FunctionTask():
            return len(task.base_inputs) + len(task.plus_inputs)
        case CheckTask():
            return task.test.count("assert ")
        case RepositoryTask():
            return 0
