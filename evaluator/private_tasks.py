"""From the table of a private problem to the task that decides right and wrong.

asserts: where each is `assert f(…) == value` on plain JSON values, the values are compared outside
the program; else they run beside it, by the runner of Python tests. calls, stdio, answer: as they
are. command: a project from files, or from a repository's commit.
"""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluator.edits import render_edits
from evaluator.grading.repository import PYTHON_TESTS
from evaluator.private_format import ProblemTable, SuiteTable
from evaluator.private_repository import files_at, some_files
from evaluator.problem import CallTask, RepositoryTask, StdioTask, Task, TextTask

ANSWER_FILE = "solution.py"
_TEST_FILE = "codeloop_asserts_test.py"


def task_of(table: ProblemTable, suite: SuiteTable, folder: Path) -> Task:
    """The task. Raises DataInvalid for a repository that cannot be read."""
    language = table.language or suite.language
    seconds = table.seconds or suite.seconds
    memory = table.memory_mib or suite.memory_mib
    if table.calls is not None:
        calls = table.calls
        tests = tuple((tuple(test.arguments), test.expected) for test in calls.tests)
        return CallTask(function=calls.function, tests=tests, seconds=seconds)
    if table.stdio is not None:
        return StdioTask(
            tests=tuple((test.input, test.output) for test in table.stdio),
            compare=table.compare or suite.compare,
            seconds=seconds,
            memory_mib=memory,
            language=language,
        )
    if table.answer is not None:
        return TextTask(expected=table.answer)
    if table.asserts is not None:
        return _asserts(table.asserts, seconds, memory)
    assert table.command is not None
    assert table.editable is not None
    return RepositoryTask(
        language=language,
        files=_project(table, folder),
        editable=tuple(table.editable),
        command=table.command,
        seconds=seconds,
        memory_mib=memory,
    )


def reference_of(table: ProblemTable, task: Task, folder: Path) -> str | None:
    """The right answer as the task's grader takes it."""
    if isinstance(table.reference, dict):
        return render_edits(table.reference)
    if isinstance(task, RepositoryTask):
        if table.reference is not None:
            return render_edits({task.editable[0]: table.reference})
        if table.repository is not None and table.fixed is not None:
            place = folder / table.repository
            return render_edits(some_files(place, table.fixed, task.editable))
    return table.reference


def _project(table: ProblemTable, folder: Path) -> dict[str, str]:
    if table.repository is None:
        return dict(table.files or {})
    place = folder / table.repository
    base = table.revision or f"{table.fixed}^"
    files = dict(files_at(place, base, tuple(table.include or ())))
    if table.fixed is not None:
        files.update(some_files(place, table.fixed, table.tests or ()))
    return files


def _asserts(asserts: Sequence[str], seconds: float, memory: int) -> Task:
    calls = [_as_call(text) for text in asserts]
    names = {call[0] for call in calls if call is not None}
    if None not in calls and len(names) == 1:
        tests = tuple(call[1:] for call in calls if call is not None)
        return CallTask(function=names.pop(), tests=tests, seconds=seconds)
    functions = [
        f"def test_{number}():\n" + "".join(f"    {line}\n" for line in text.splitlines())
        for number, text in enumerate(asserts)
    ]
    test = "\n\n".join([f"from {ANSWER_FILE[:-3]} import *\n", *functions])
    return RepositoryTask(
        language="python",
        files={ANSWER_FILE: "", _TEST_FILE: test},
        editable=(ANSWER_FILE,),
        hidden=(_TEST_FILE,),
        command=f"{PYTHON_TESTS} {_TEST_FILE}",
        seconds=seconds,
        memory_mib=memory,
    )


def _as_call(text: str) -> tuple[str, tuple[Any, ...], Any] | None:
    """Function, arguments, expected value of `assert f(1, [2]) == 3`; None for any other form."""
    tree = ast.parse(text)
    match tree.body:
        case [
            ast.Assert(
                test=ast.Compare(
                    left=ast.Call(func=ast.Name(id=name), args=given, keywords=[]),
                    ops=[ast.Eq()],
                    comparators=[wanted],
                )
            )
        ]:
            try:
                values = [ast.literal_eval(node) for node in (*given, wanted)]
            except ValueError:
                return None
            # Calls are compared as JSON: what JSON does not have keeps its own equality.
            if not _is_json(values[-1]):
                return None
            return name, tuple(values[:-1]), values[-1]
    return None


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, str)
