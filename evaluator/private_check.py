"""Finds every fault of a private suite, each with its file, line and field.

`check` reads and runs nothing of the suite. `check_references` grades: each reference must pass, and
a project as it is, before anybody mended it, must not.
"""

import ast
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from evaluator.edits import render_edits
from evaluator.errors import DataInvalid
from evaluator.grading.bench import Bench
from evaluator.grading.repository import PYTHON_TESTS
from evaluator.judge import judge_code
from evaluator.judgement import Grade
from evaluator.private_files import Row, problem_files, problem_rows, suite_row
from evaluator.private_format import ProblemTable, SuiteTable
from evaluator.problem import Problem, RepositoryTask

_PASSES = 3
"""A project's reference is graded this often: one that passes by chance is found before a model is blamed."""

Table = TypeVar("Table", SuiteTable, ProblemTable)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault. line: from 1, 0 where a whole file is meant. field: such as stdio[0].output."""

    file: Path
    line: int = 0
    field: str = ""
    problem: str = ""
    message: str

    def __str__(self) -> str:
        place = f"{self.file}" + (f":{self.line}" if self.line else "")
        about = [f"problem {self.problem!r}"] if self.problem else []
        about += [self.field] if self.field else []
        return ": ".join([place, *([", ".join(about)] if about else []), self.message])


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a folder holds. suite: None where its table is at fault. problems: those without a fault."""

    suite: SuiteTable | None
    problems: tuple[tuple[Row, ProblemTable], ...]
    findings: tuple[Finding, ...]


def check(folder: Path) -> Checked:
    """Read the folder. Raises DataMissing where it is no private suite at all."""
    findings: list[Finding] = []
    suite: SuiteTable | None = None
    try:
        row = suite_row(folder)
        suite = _parsed(SuiteTable, row, findings)
    except DataInvalid as error:
        findings.append(Finding(file=folder, message=str(error)))
    tables: list[tuple[Row, ProblemTable]] = []
    seen: dict[str, Row] = {}
    for file in problem_files(folder):
        for row in _rows(file, findings):
            table = _parsed(ProblemTable, row, findings)
            _check_id(row, seen, findings)
            if table is not None:
                findings += _check_problem(row, table, suite, folder)
                tables.append((row, table))
    if not seen and not findings:
        findings.append(Finding(file=folder, message="there is no problem in any of its files"))
    return Checked(suite=suite, problems=tuple(tables), findings=tuple(findings))


def check_references(
    problems: Sequence[Problem], folder: Path, bench: Bench
) -> Iterator[tuple[Problem, Finding | None]]:
    """Grade each reference; None where all is well. A problem without one is a fault."""
    for problem in problems:
        message = _reference_fault(problem, bench)
        finding = Finding(file=folder, problem=problem.id, field="reference", message=message)
        yield problem, finding if message else None


def _reference_fault(problem: Problem, bench: Bench) -> str:
    task = problem.task
    if isinstance(task, RepositoryTask):
        as_it_is = {path: task.files[path] for path in task.editable if path in task.files}
        if as_it_is and judge_code(problem, render_edits(as_it_is), bench).is_right:
            return "the tests pass before anything is changed: there is nothing to solve"
    if problem.reference is None:
        return "there is none: nothing shows that the tests can be passed"
    for number in range(_PASSES if isinstance(task, RepositoryTask) else 1):
        judged = judge_code(problem, problem.reference, bench)
        if judged.grade is Grade.PASS:
            continue
        said = "" if judged.failure is None else f": {_said(judged.failure.message)}"
        often = (
            f" at its run {number + 1} of {_PASSES}, so the tests are not steady" if number else ""
        )
        return f"the reference fails ({judged.grade.value}){often}{said}"
    return ""


def _said(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else ""


def _rows(file: Path, findings: list[Finding]) -> Iterator[Row]:
    try:
        yield from problem_rows(file)
    except DataInvalid as error:
        findings.append(Finding(file=file, message=str(error)))


def _parsed(kind: type[Table], row: Row, findings: list[Finding]) -> Table | None:
    if not isinstance(row.value, dict):
        message = f"it is a table of fields, this is {_kind(row.value)}"
        findings.append(Finding(file=row.file, line=row.line, message=message))
        return None
    try:
        return kind.model_validate(row.value)
    except ValidationError as error:
        findings += [_finding(row, fault) for fault in error.errors(include_url=False)]
        return None


def _finding(row: Row, fault: Any) -> Finding:
    path = [part for part in fault["loc"] if part not in ("[key]", "function-after")]
    if fault["type"] == "extra_forbidden":
        message = "there is no such field"
    elif fault["type"] == "missing":
        message = "it is missing"
    else:
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] != "value_error":
            message = f"{message}; this is {_kind(fault['input'])}"
    return Finding(
        file=row.file,
        line=row.line_of(path),
        field=_shown_path(path),
        problem=_id_of(row),
        message=message,
    )


def _check_id(row: Row, seen: dict[str, Row], findings: list[Finding]) -> None:
    name = _id_of(row)
    first = seen.setdefault(name, row)
    if name and first is not row:
        findings.append(
            Finding(
                file=row.file,
                line=row.line_of(["id"]),
                field="id",
                problem=name,
                message=f"this id is taken by {first.file.name}, line {first.line}: ids are unique",
            )
        )


def _check_problem(
    row: Row, table: ProblemTable, suite: SuiteTable | None, folder: Path
) -> Iterator[Finding]:
    """Faults that a type cannot tell."""
    language = table.language or (suite.language if suite else "python")
    needs_python = "asserts" if table.asserts else "calls" if table.calls else ""
    if needs_python and language != "python":
        yield _at(
            row, table, [needs_python], f"only Python has these, and the language is {language}"
        )
    for number, text in enumerate(table.asserts or ()):
        if fault := _python_fault(text):
            yield _at(row, table, ["asserts", number], fault)
    if table.date and not _is_date(table.date):
        yield _at(row, table, ["date"], f"{table.date} is no day of the calendar")
    if isinstance(table.reference, dict):
        for path in table.reference:
            if path not in (table.editable or ()):
                yield _at(row, table, ["reference", path], "this file is not among editable")
    yield from _check_project(row, table, folder)


def _check_project(row: Row, table: ProblemTable, folder: Path) -> Iterator[Finding]:
    if table.repository is not None:
        place = folder / table.repository
        if not place.is_dir():
            yield _at(row, table, ["repository"], f"there is no folder {place}")
    words = (table.command or "").split()
    if words[:1] != [PYTHON_TESTS]:
        return
    if not words[1:]:
        yield _at(row, table, ["command"], f"{PYTHON_TESTS} needs the names of test files")
    for path in words[1:]:
        if table.files is not None and path not in table.files:
            yield _at(row, table, ["command"], f"there is no file {path} among files")
        if path in (table.editable or ()):
            yield _at(row, table, ["editable"], f"{path} holds tests: an answer may not change it")


def _at(row: Row, table: ProblemTable, path: list[str | int], message: str) -> Finding:
    return Finding(
        file=row.file,
        line=row.line_of(path),
        field=_shown_path(path),
        problem=table.id,
        message=message,
    )


def _python_fault(text: str) -> str:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return f"this is no Python: {error}"
    has_assert = any(isinstance(node, ast.Assert | ast.Raise | ast.With) for node in ast.walk(tree))
    return "" if has_assert else "there is no assert in it, so it cannot fail"


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _id_of(row: Row) -> str:
    name = row.value.get("id") if isinstance(row.value, dict) else None
    return name if isinstance(name, str) else ""


def _shown_path(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _kind(value: object) -> str:
    names = {
        dict: "a table",
        list: "a list",
        str: "text",
        bool: "true or false",
        type(None): "nothing",
    }
    return names.get(type(value), f"{value!r}"[:80])
