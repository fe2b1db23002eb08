"""Aider polyglot: 225 Exercism exercises in six languages: read, edit files, run the tests, try once more.

Source: Aider-AI/polyglot-benchmark (MIT). As in Aider's harness: the model is given the exercise's
introduction, instructions and their appendix, and the stub files; the tests and the examples are not
shown; all tests run, the ones that are marked to be skipped too; after a failure the model sees what
the tests said and tries once more. pass@1 is the first try, the second try is counted apart. Unlike
Aider, answers come as whole files (evaluator.edits), in the chat as it is, without a repository map,
and nothing but the languages' standard libraries is there. How each language is run, and what is left
out by name: evaluator.suites.polyglot_projects.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.edits import render_edits
from evaluator.judgement import Judgement
from evaluator.problem import Problem, RepositoryTask
from evaluator.project_prompt import project_again, project_prompt
from evaluator.prompt import Prompt
from evaluator.suite import Suite
from evaluator.suites.polyglot_projects import NO_REFERENCE, UNAVAILABLE, project, reference

FILE = SourceFile(
    path="aider_polyglot/polyglot.jsonl.gz",
    url="https://github.com/Aider-AI/polyglot-benchmark",
    sha256="988bad990d888f1afad7978c5817f02b60ea488acf6ccf23a30c3eb199e256a2",
    rows=225,
)
LANGUAGES = ("python", "javascript", "java", "go", "rust", "cpp")
_DOCUMENTS = (".docs/introduction.md", ".docs/instructions.md", ".docs/instructions.append.md")

_STANDARD_LIBRARY = "Use the standard library only."


def _load(folder: DataFolder, *, language: str | None) -> Sequence[Problem]:
    rows = (row for row in folder.rows(FILE) if language in (None, row["language"]))
    return [_problem(row) for row in rows if _name(row) not in UNAVAILABLE]


def _name(row: dict[str, Any]) -> str:
    return f"{row['language']}/{row['exercise']}"


def _problem(row: dict[str, Any]) -> Problem:
    files = row["files"]
    right = reference(row)
    texts = [files[name].strip() for name in _DOCUMENTS if name in files]
    return Problem(
        id=_name(row),
        statement="\n\n".join(texts),
        task=_with_all_sources(project(row), right),
        language=row["language"],
        reference=None if right is None else render_edits(right),
        group=row["language"],
        notes={"no reference": NO_REFERENCE.get(_name(row), "")},
    )


def _with_all_sources(task: RepositoryTask, right: dict[str, str] | None) -> RepositoryTask:
    """Java's examples have classes of their own beside the stub: answers may have those files too."""
    more = tuple(path for path in right or () if path not in task.editable)
    return RepositoryTask(
        **{**vars(task), "editable": task.editable + more, "hidden": task.hidden + more}
    )


def _prompt(problem: Problem) -> Prompt:
    assert isinstance(problem.task, RepositoryTask)
    return project_prompt(problem.statement, problem.task, more=_STANDARD_LIBRARY)


def _second_prompt(problem: Problem, answer: str, judgement: Judgement) -> Prompt | None:
    assert isinstance(problem.task, RepositoryTask)
    return project_again(_prompt(problem), problem.task, answer, judgement)


def _suite(language: str | None) -> Suite:
    left_out = [f"{name} ({why})" for name, why in UNAVAILABLE.items()]
    mine = [text for text in left_out if language is None or text.startswith(f"{language}/")]
    return Suite(
        name="aider-polyglot" + (f"-{language}" if language else ""),
        title=f"Aider polyglot, {language or 'six languages'}, repair in two tries",
        source=FILE.url,
        licence="MIT (Exercism tracks)",
        files=(FILE,),
        load=partial(_load, language=language),
        prompt=_prompt,
        extraction="answer",
        official_extraction="answer",
        language=language or "python",
        second_prompt=_second_prompt,
        warning=f"left out: {', '.join(mine)}" if mine else "",
    )


POLYGLOT = _suite(None)
PYTHON, JAVASCRIPT, JAVA, GO, RUST, CPP = map(_suite, LANGUAGES)
