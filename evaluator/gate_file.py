"""What a gate asks, as an operator writes it down: a small TOML file.

confidence = 0.95            # of every bound below, one-sided
rules = "strict"
most_infrastructure = 0.01   # share of samples that our host may have failed at

[sampling]                   # optional: what the run must have been drawn with
temperature = 0.0

[suites."humaneval+"]
samples = 1                  # at least so many a problem
floor = 0.10                 # the score is not below this
margin = 0.02                # not worse than live by more than this
improvement = 0.0            # better than live by more than this
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evaluator.errors import GateInvalid

Share = Field(default=None, ge=0, le=1)


class SuiteGate(BaseModel):
    """What is asked of one suite; at least one of floor, margin and improvement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int = Field(default=1, ge=1)
    floor: float | None = Share
    margin: float | None = Share
    improvement: float | None = Share


class Gate(BaseModel):
    """A gate file. sampling: names and values that the run's own must have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suites: dict[str, SuiteGate] = Field(min_length=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    rules: Literal["strict", "official"] = "strict"
    most_infrastructure: float = Field(default=0.01, ge=0, le=1)
    sampling: dict[str, float | int | str] = {}

    @property
    def needs_live(self) -> bool:
        """Whether any check is against the live version."""
        return any(s.margin is not None or s.improvement is not None for s in self.suites.values())


def read_gate(path: Path) -> Gate:
    """Read a gate file. Raises GateInvalid, naming the key."""
    try:
        return parse_gate(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError) as error:
        raise GateInvalid(
            f"{path} cannot be read as TOML ({error}): mend or name another"
        ) from error


def parse_gate(table: Mapping[str, Any], source: str = "the gate") -> Gate:
    """A gate from parsed TOML. Raises GateInvalid, naming the key, its value and the rule."""
    try:
        gate = Gate.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        given = "" if first["type"] in ("missing", "extra_forbidden") else f" is {first['input']!r}"
        raise GateInvalid(f"{source}: {key}{given}: {first['msg']}; see codeloop eval gate --help") from error  # fmt: skip
    for name, suite in gate.suites.items():
        if suite.floor is None and suite.margin is None and suite.improvement is None:
            raise GateInvalid(
                f"{source}: suites.{name} asks nothing: give it a floor, a margin or an improvement"
            )
    return gate
