"""One line of `codeloop check`: what was looked at, how it is, and what to do."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """FAIL: `codeloop serve` will not work. WARN: it will, but not as well as it could."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """fix: what to do about it; empty when there is nothing to do."""

    level: Level
    subject: str
    text: str
    fix: str = ""
