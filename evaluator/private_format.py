"""The form of a private suite: what suite.yaml and a problem may say. Unknown keys are refused.

    my_suite/suite.yaml          what holds for all problems (SuiteTable); suite.toml is read too
    my_suite/problems.jsonl      one problem a line, or
    my_suite/problems/*.yaml     one problem a file, or a list of them (ProblemTable)

A problem has an id, a prompt, and exactly one way to tell right from wrong: asserts, calls, stdio,
answer, or command (with files, or with repository).
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from evaluator.compare import comparison
from evaluator.errors import UsageRefused
from sandbox.errors import UnknownLanguage
from sandbox.toolchain import toolchain

WAYS = ("asserts", "calls", "stdio", "answer", "command")
_WORDS = r"^[\w.@+-]+(/[\w.@+-]+)*$"


def _inside(path: str) -> str:
    if {".", ".."} & set(path.split("/")):
        raise ValueError(f"{path} is to stay inside its folder: write it without . and ..")
    return path


def _known_language(name: str) -> str:
    try:
        return toolchain(name).name
    except UnknownLanguage as error:
        raise ValueError(str(error)) from error


def _known_rule(name: str) -> str:
    try:
        comparison(name)
    except UsageRefused as error:
        raise ValueError(str(error)) from error
    return name


_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=_WORDS)]
_Path = Annotated[_Name, AfterValidator(_inside)]
_Language = Annotated[str, AfterValidator(_known_language)]
_Rule = Annotated[str, AfterValidator(_known_rule)]
_Text = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StdioTest(_Table):
    """One input and what is to be printed for it."""

    input: str = ""
    output: str


class CallTest(_Table):
    """Arguments of one call and the value wanted, both as JSON."""

    arguments: list[Any]
    expected: Any


class Calls(_Table):
    """A function, or a method of class Solution, and the calls of it."""

    function: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
    tests: Annotated[list[CallTest], Field(min_length=1)]


class SuiteTable(_Table):
    """suite.yaml: what holds for every problem that does not say otherwise."""

    name: _Name
    title: str = ""
    licence: str = "private"
    language: _Language = "python"
    instructions: str = ""
    """Text before every prompt."""
    seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """CPU time of each test, or of a command."""
    memory_mib: Annotated[int, Field(ge=16, le=1 << 20)] = 1024
    compare: _Rule = "tokens"
    tries: Literal[1, 2] = 1
    """2: a failed answer is shown what the tests said, and may try once more."""
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    warning: str = ""


class ProblemTable(_Table):
    """One problem."""

    id: _Name
    prompt: _Text
    language: _Language | None = None
    seconds: Annotated[float, Field(gt=0, le=3600)] | None = None
    memory_mib: Annotated[int, Field(ge=16, le=1 << 20)] | None = None
    compare: _Rule | None = None
    group: str = ""
    difficulty: str = ""
    date: str | None = Field(default=None, pattern=r"^\d{4}-\d\d-\d\d$")
    reference: str | dict[_Path, str] | None = None
    """A right answer: a program, or path → content of edited files."""

    asserts: Annotated[list[_Text], Field(min_length=1)] | None = None
    """Python statements that are to pass after the answer's program."""
    calls: Calls | None = None
    stdio: Annotated[list[StdioTest], Field(min_length=1)] | None = None
    answer: _Text | None = None
    """The answer is this text."""

    command: _Text | None = None
    """Shell command line; exit code 0 is right. `codeloop-tests FILE…` runs Python tests."""
    editable: Annotated[list[_Path], Field(min_length=1)] | None = None
    files: dict[_Path, str] | None = None
    """Path → content of a small project, tests included."""
    repository: str | None = None
    """A git repository, as a path from the suite's folder."""
    revision: str | None = None
    """The commit that an answer starts from; without it, the parent of `fixed`."""
    fixed: str | None = None
    """A commit with a right answer: its editable files are the reference."""
    tests: list[_Path] | None = None
    """Files taken from `fixed`, such as the tests that it came with."""
    include: list[_Path] | None = None
    """Only these files and folders of the repository."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [way for way in WAYS if getattr(self, way) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"a problem has exactly one of {', '.join(WAYS)}: this has {found}")
        return self

    @model_validator(mode="after")
    def _whole_project(self) -> Self:
        parts = ("editable", "files", "repository", "revision", "fixed", "tests", "include")
        if self.command is None:
            if extra := [name for name in parts if getattr(self, name) is not None]:
                raise ValueError(f"{extra[0]} belongs to a command, and there is no command")
            if isinstance(self.reference, dict):
                raise ValueError("reference is a program's text here, not files")
            return self
        if self.editable is None:
            raise ValueError(
                "editable is missing: a command needs the files that an answer may change"
            )
        if (self.files is None) == (self.repository is None):
            raise ValueError("a command needs either files or repository")
        if self.repository is not None and self.revision is None and self.fixed is None:
            raise ValueError("a repository needs revision, or fixed, whose parent is taken then")
        if self.tests is not None and self.fixed is None:
            raise ValueError("tests are files of the commit `fixed`, and there is no fixed")
        return self
