"""QuixBugs: 40 small Python programs with one defect each, to be mended.

Source: jkoppel/QuixBugs (MIT). Its own check is pytest on one module a program. The 28 modules that
are a table of arguments and values become calls whose values are compared outside the program, by
the same equality; the two cases that the modules skip as too slow are left out here too. The other
12 (graphs of Node objects, generators, a tolerance) run as test functions beside the program, by
`evaluator.grading.repository`. The defect is on one line, but a whole new program is asked for. A
second try sees what the tests said of the first.
"""

import re
from collections.abc import Sequence
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.edits import render_edits
from evaluator.grading.repository import PYTHON_TESTS
from evaluator.judgement import Judgement
from evaluator.problem import CallTask, Problem, RepositoryTask
from evaluator.prompt import Prompt, ask
from evaluator.second_try import second_try
from evaluator.suite import Suite

FILE = SourceFile(
    path="quixbugs/quixbugs.jsonl.gz",
    url="https://github.com/jkoppel/QuixBugs",
    sha256="fe06d7514e4739eb336d76799a9bdfe29f93a2adcdd19bd9a7850f7171b81467",
    rows=40,
)
_CALLED = {
    "flatten": "assert list(flatten(*given)) == expected",
    "kheapsort": "assert list(kheapsort(*given)) == expected",
    "sqrt": "assert abs(sqrt(*given) - expected) <= given[-1]",
}
"""Tables that the modules do not compare by plain equality."""

_SLOW = {"knapsack": 6404180, "levenshtein": "amanaplanacanalpanama"}
"""First argument of the cases that the modules skip: the right program takes minutes on them."""

_NODE = """\
class Node:
    def __init__(self, value=None, successor=None, successors=(), predecessors=(),
                 incoming_nodes=(), outgoing_nodes=()):
        self.value = value
        self.successor = successor
        self.successors = list(successors) if not isinstance(successors, list) else successors
        self.predecessors = list(predecessors)
        self.incoming_nodes = list(incoming_nodes)
        self.outgoing_nodes = list(outgoing_nodes)
"""  # The data holds no node.py; its modules use it in this way only.

_PROMPT = """\
This Python program has a defect. Its description is in the text at its end.

{file}
```python
{buggy}
```

Mend the defect with as small a change as you can. Answer with the whole mended program in one \
```python block. The tests call `{name}`; keep its name and its arguments."""

_AGAIN = "Answer with the whole mended program in one ```python block."


def _load(folder: DataFolder) -> Sequence[Problem]:
    return [_problem(row) for row in folder.rows(FILE)]


def _problem(row: dict[str, Any]) -> Problem:
    name = row["name"]
    cases = [case for case in row.get("cases", ()) if case[0][:1] != [_SLOW.get(name)]]
    is_table = bool(cases) and name not in _CALLED
    task = _calls(name, cases) if is_table else _tests(row, cases)
    fixed = row["fixed"]
    return Problem(
        id=name,
        statement=row["buggy"].strip("\n"),
        task=task,
        reference=fixed if is_table else render_edits({f"{name}.py": fixed}),
        notes={"buggy": row["buggy"]},
    )


def _calls(name: str, cases: list[Any]) -> CallTask:
    return CallTask(
        function=name, tests=tuple((tuple(given), expected) for given, expected in cases)
    )


def _tests(row: dict[str, Any], cases: list[Any]) -> RepositoryTask:
    name = row["name"]
    file, test = f"{name}.py", f"{name}_test.py"
    source = _test_of_cases(name, cases) if cases else _without_pytest(name, row["pytest"])
    return RepositoryTask(
        language="python",
        files={file: row["buggy"], test: source, "node.py": _NODE},
        editable=(file,),
        hidden=(test,),
        command=f"{PYTHON_TESTS} {test}",
        seconds=6.0,
        memory_mib=512,
    )


def _test_of_cases(name: str, cases: list[Any]) -> str:
    functions = [
        f"def test_{number}():\n    given, expected = {given!r}, {expected!r}\n    {_CALLED[name]}\n"
        for number, (given, expected) in enumerate(cases)
    ]
    return "\n\n".join([f"from {name} import {name}\n", *functions])


def _without_pytest(name: str, module: str) -> str:
    """The module without what chooses between the buggy and the right program."""
    choice = re.compile(r"if pytest\.use_correct:\n.*?\nelse:\n.*?\n", re.DOTALL)
    imported = choice.sub(f"from {name} import {name}\n", module, count=1)
    return imported.replace("import pytest\n", "", 1)


def _prompt(problem: Problem) -> Prompt:
    file = f"{problem.id}.py"
    return ask(_PROMPT.format(file=file, buggy=problem.statement, name=problem.id))


def _second_prompt(problem: Problem, answer: str, judgement: Judgement) -> Prompt | None:
    return second_try(_prompt(problem), answer, judgement, _AGAIN)


QUIXBUGS = Suite(
    name="quixbugs",
    title="QuixBugs (Python), repair in two tries",
    source="https://github.com/jkoppel/QuixBugs",
    licence="MIT",
    files=(FILE,),
    load=_load,
    prompt=_prompt,
    second_prompt=_second_prompt,
    may_train=False,
    notes={"tests": "28 programs by compared values, 12 by test functions beside the program"},
)
