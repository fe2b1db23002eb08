"""Private suites: an organisation's own folder of problems becomes a suite like any other.

`load_private(Path("my_suite"))`. The folder's form is evaluator.private_format's; everything in it is
checked on loading, and the first fault is raised with file, line and field. All faults at once:
evaluator.private_check.
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from evaluator.data import DataFolder, SourceFile
from evaluator.errors import DataInvalid
from evaluator.judgement import Judgement
from evaluator.private_check import Checked, check
from evaluator.private_files import problem_files, suite_row
from evaluator.private_format import ProblemTable, SuiteTable
from evaluator.private_tasks import reference_of, task_of
from evaluator.problem import Problem, RepositoryTask, StdioTask, TextTask
from evaluator.project_prompt import project_again, project_prompt
from evaluator.prompt import Prompt, ask
from evaluator.second_try import second_try
from evaluator.suite import Suite, no_second_try

_BLOCK = "Answer with one ```{language} block that holds the whole program."
_STDIN = "The program reads stdin and prints to stdout. "
_AGAIN = "Mend it, and answer with the whole program in one block."


def load_private(folder: Path) -> Suite:
    """The suite of a folder. Raises DataMissing, DataInvalid with the first fault and their number."""
    checked = check(folder)
    if checked.findings:
        more = len(checked.findings) - 1
        rest = f" (and {more} more: `codeloop eval validate {folder}` lists them)" if more else ""
        raise DataInvalid(f"{checked.findings[0]}{rest}")
    assert checked.suite is not None
    problems = [problem_of(table, checked.suite, folder) for _, table in checked.problems]
    return _suite(checked, problems, folder)


def problem_of(table: ProblemTable, suite: SuiteTable, folder: Path) -> Problem:
    """One problem of a table. Raises DataInvalid for a repository that cannot be read."""
    task = task_of(table, suite, folder)
    statement = "\n\n".join(text.strip() for text in (suite.instructions, table.prompt) if text)
    return Problem(
        id=table.id,
        statement=statement,
        task=task,
        language=table.language or suite.language,
        reference=reference_of(table, task, folder),
        date=dt.date.fromisoformat(table.date) if table.date else None,
        difficulty=table.difficulty,
        group=table.group,
        notes={"is_project": table.command is not None},
    )


def _suite(checked: Checked, problems: Sequence[Problem], folder: Path) -> Suite:
    table = checked.suite
    assert table is not None
    files = [suite_row(folder).file, *problem_files(folder)]
    known = list(problems)

    def load(_data: DataFolder) -> Sequence[Problem]:
        return known

    return Suite(
        name=table.name,
        title=table.title or table.name,
        source=str(folder),
        licence=table.licence,
        # An absolute path stays itself below any data folder.
        files=tuple(SourceFile(path=str(file.resolve()), url=str(folder)) for file in files),
        load=load,
        prompt=_prompt,
        second_prompt=_second_prompt if table.tries == 2 else no_second_try,
        language=table.language,
        default_samples=table.samples,
        warning=table.warning,
    )


def _prompt(problem: Problem) -> Prompt:
    task = problem.task
    if isinstance(task, RepositoryTask) and problem.notes["is_project"]:
        return project_prompt(problem.statement, task)
    if isinstance(task, TextTask):
        return ask(problem.statement)
    block = _BLOCK.format(language=problem.language)
    stdin = _STDIN if isinstance(task, StdioTask) else ""
    return ask(f"{problem.statement}\n\n{stdin}{block}")


def _second_prompt(problem: Problem, answer: str, judgement: Judgement) -> Prompt | None:
    first = _prompt(problem)
    if isinstance(problem.task, RepositoryTask) and problem.notes["is_project"]:
        return project_again(first, problem.task, answer, judgement)
    return second_try(first, answer, judgement, _AGAIN)
