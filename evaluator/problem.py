"""A problem of a suite: what is asked, and the task that decides whether an answer is right.

A task is data; `evaluator.judge` knows how each kind is graded.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class FunctionTask:
    """Call a Python function on inputs and compare with what the reference returns on them.

    reference: a whole right program. base_inputs, plus_inputs: the arguments of each call.
    tolerance: absolute, for floats; 0 means 1e-6 where the expected value is a float or a list of
    floats, and exact elsewhere. oracle: name of another comparison than equality, or "".
    """

    entry_point: str
    reference: str
    base_inputs: tuple[tuple[Any, ...], ...]
    plus_inputs: tuple[tuple[Any, ...], ...] = ()
    tolerance: float = 0.0
    oracle: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckTask:
    """Run a test's Python code against a Python program; an exception means wrong.

    setup: code before the program. test: code after it. entry_point: an expression in the
    program's names for what the test calls, such as "f" or "Solution().f". candidate: the name by
    which the test calls it; where this is None, the test defines `check`, which is given it.
    reference: a whole right program, which tells what the test calls; without it only the official
    rules apply. seconds: most that the whole may take.
    """

    entry_point: str
    test: str
    reference: str = ""
    setup: str = ""
    candidate: str | None = None
    seconds: float = 3.0


@dataclass(frozen=True, kw_only=True)
class StdioTask:
    """Give a program inputs on stdin and compare what it prints.

    tests: (stdin, expected stdout). compare: name of a rule of `evaluator.compare`. seconds: CPU
    time of each test.
    """

    tests: tuple[tuple[str, str], ...]
    language: str = "python"
    compare: str = "lines"
    seconds: float = 6.0
    memory_mib: int = 1024


@dataclass(frozen=True, kw_only=True)
class CallTask:
    """Call a function or a method with JSON arguments and compare with a JSON value.

    function: name of a method of class Solution, or of a function. tests: (arguments, expected).
    """

    function: str
    tests: tuple[tuple[tuple[Any, ...], Any], ...]
    seconds: float = 6.0


@dataclass(frozen=True, kw_only=True)
class ProgramTask:
    """Put code between a head and a tail, compile and run it; exit code 0 means right.

    language: a toolchain of the sandbox. file: name of the main file. files: others beside it.
    """

    language: str
    head: str = ""
    tail: str = ""
    file: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 10.0
    failure_marks: tuple[str, ...] = ()
    """Texts in stderr or stdout that mean a wrong answer, whatever the exit code is."""
    proves_end: bool = False
    """Whether the tail, after its last test, prints the program's first argument on a line: an exit
    code of 0 alone may come from a program that ended before."""


@dataclass(frozen=True, kw_only=True)
class TextTask:
    """The answer is a text: equal to the expected one after stripping both."""

    expected: str


@dataclass(frozen=True, kw_only=True)
class KeywordTask:
    """The answer holds every one of these words, whatever their case."""

    keywords: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MathTask:
    """The answer's last boxed expression is equivalent to `expected` (LaTeX). integer: compare as integers."""

    expected: str
    integer: bool = False


@dataclass(frozen=True, kw_only=True)
class LiteralTask:
    """CRUXEval: predict f's output for an input, or an input for an output.

    code: defines f. Exactly one of predict "output" and "input".
    """

    code: str
    given: str
    expected: str
    predict: str


@dataclass(frozen=True, kw_only=True)
class RepositoryTask:
    """Replace files of a small project and run its tests; exit code 0 means right.

    files: the project, test files included. editable: the files that an answer may replace.
    hidden: files that a model is not shown. language: whose toolchain runs `command`, which is a
    shell command line in the project's folder.
    """

    language: str
    files: Mapping[str, str]
    editable: tuple[str, ...]
    command: str
    hidden: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    """Files of the machine, such as a library's jar, without which nothing here can be graded."""
    seconds: float = 60.0
    memory_mib: int = 2048


Task = (
    FunctionTask
    | CheckTask
    | StdioTask
    | CallTask
    | ProgramTask
    | TextTask
    | KeywordTask
    | MathTask
    | LiteralTask
    | RepositoryTask
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem.

    id: unique in its suite. statement: what a prompt is made of. task: decides right and wrong.
    language: of the answer's program. reference: an answer program that is right, where the data
    has one. date: when it was published. group: what problems are counted together by, such as a
    contest. notes: anything more that a suite's prompt or score needs.
    """

    id: str
    statement: str
    task: Task
    language: str = "python"
    reference: str | None = None
    date: dt.date | None = None
    difficulty: str = ""
    group: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
