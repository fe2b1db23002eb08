"""Asks for edits of a project: the task, the files that may change, and the form of the answer."""

from evaluator.edits import render_edits
from evaluator.judgement import Judgement
from evaluator.problem import RepositoryTask
from evaluator.prompt import Prompt, ask
from evaluator.second_try import second_try

_PROMPT = """\
{statement}

These are the files to change:

{files}
Do what is asked for by changing {names}. Keep the names and signatures that are there: tests call \
them.{more} Answer with each changed file in full, its path on a line of its own directly before its \
fenced block, in the form shown above."""

_AGAIN = """\
The tests are right: leave them as they are. Mend {names} and answer with each changed file in full, \
its path on a line of its own directly before its fenced block."""


def project_prompt(statement: str, task: RepositoryTask, *, more: str = "") -> Prompt:
    """What a model is asked first. more: a sentence on what is allowed, such as which libraries."""
    files = _shown(task)
    return ask(
        _PROMPT.format(
            statement=statement,
            files=render_edits(files),
            names=", ".join(files),
            more=f" {more}" if more else "",
        )
    )


def project_again(
    first: Prompt, task: RepositoryTask, answer: str, judgement: Judgement
) -> Prompt | None:
    """What it is asked once more after a failed try, or None."""
    return second_try(first, answer, judgement, _AGAIN.format(names=", ".join(_shown(task))))


def _shown(task: RepositoryTask) -> dict[str, str]:
    """The files that may change, as they are; one that is not there yet is shown empty."""
    visible = [path for path in task.editable if path not in task.hidden]
    return {path: task.files.get(path, "") for path in visible}
