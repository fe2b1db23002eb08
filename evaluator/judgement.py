"""What grading a sample came to: exactly one of twelve grades, and the evidence for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Grade(StrEnum):
    """The twelve classes of a sample. They exclude each other and always add up to n."""

    PASS = "pass"
    WRONG_ANSWER = "wrong_answer"
    """No test was right, the first failing one by its answer."""
    PARTIAL = "partial"
    """A wrong answer after at least one right one."""
    RUNTIME_ERROR = "runtime_error"
    COMPILE_ERROR = "compile_error"
    """A compiler refused it, or it is no Python."""
    CPU_TIME_OUT = "cpu_time_out"
    WALL_TIME_OUT = "wall_time_out"
    MEMORY = "memory"
    OUTPUT = "output"
    NO_CODE = "no_code"
    """The answer holds nothing to grade."""
    TRUNCATED = "truncated"
    """The model reached its token limit before it gave something that passes."""
    INFRASTRUCTURE = "infrastructure"
    """Our host or the endpoint failed, also after retries: reported apart, never scored."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The first test that was not passed, for people. Texts are cut to a readable length.

    test: its number from 0, or None when it is not known. given: its input. expected, got: the
    right answer and the one given. message: an exception's last line, a compiler's first words.
    """

    test: int | None = None
    given: str = ""
    expected: str = ""
    got: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One sample's grade.

    scores: named parts of a suite's score, such as {"base": True, "plus": False}; the grade is
    PASS exactly when all are true. num_passed of num_tests: as far as tests were run. code: the
    program that was graded, as extracted. cpu_seconds, wall_seconds: of the program.
    """

    grade: Grade
    scores: Mapping[str, bool] = field(default_factory=dict)
    num_passed: int = 0
    num_tests: int = 0
    failure: Failure | None = None
    code: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_memory_bytes: int = 0

    @property
    def is_right(self) -> bool:
        """Whether the sample counts as solved."""
        return self.grade is Grade.PASS

    @property
    def is_scored(self) -> bool:
        """Whether it counts at all: what our host failed at does not."""
        return self.grade is not Grade.INFRASTRUCTURE

    def as_row(self) -> dict[str, Any]:
        """Plain data for a journal; `from_row` reads it back."""
        row = dict(vars(self), grade=self.grade.value, scores=dict(self.scores))
        row["failure"] = None if self.failure is None else dict(vars(self.failure))
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Judgement":
        """The judgement of a journal's row; unknown keys of newer versions are left out."""
        known = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        failure = known.get("failure")
        known["grade"] = Grade(known["grade"])
        known["failure"] = None if failure is None else Failure(**failure)
        return cls(**known)
