"""What every grader works on: the sandbox, the rules, and the store of what references came to."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sandbox.sandbox import Sandbox


class Rules(StrEnum):
    """By which rules a sample is graded."""

    STRICT = "strict"
    """What we hold to be right; nothing that cheats passes."""
    OFFICIAL = "official"
    """What the suite's own harness would say, its quirks included."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """sandbox: runs programs, for many threads. cache: folder for expected outputs, by digest."""

    sandbox: Sandbox
    rules: Rules
    cache: Path
