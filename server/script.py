"""What the scripted engine plays: tokens, pace, and faults, from a small TOML file."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.errors import EngineStartError

DEFAULT_TEXT = (
    "def fibonacci(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n"
    "    return a\n"
)


SWAP_FAULTS = ("fail_transfer", "slow_transfer")
"""Kinds of fault that concern new weights; the others concern requests."""


class Fault(BaseModel):
    """Something that goes wrong in some requests."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal[
        "die", "stall", "malformed", "slow_first_token", "hang_up", "error", "refuse",
        "fail_transfer", "slow_transfer",
    ]  # fmt: skip
    """`die`: the process ends. `stall`: no more tokens for `seconds`. `malformed`: a chunk that is
    not JSON. `slow_first_token`: the first token comes after `seconds`. `hang_up`: the connection
    closes without an end. `error`: an error event. `refuse`: status 400 before any token.
    `fail_transfer`: new weights do not go in. `slow_transfer`: they take `seconds`."""
    after_tokens: int = Field(default=0, ge=0)
    """Tokens that go out before it happens."""
    every: int = Field(default=1, ge=1)
    """It happens in every so many-th request that it concerns."""
    when: str = ""
    """It concerns only requests whose body, weights whose folder contains this text; empty means all."""
    seconds: float = Field(default=3600.0, ge=0)
    """How long a stall, a slow first token or a slow transfer lasts."""


class Script(BaseModel):
    """The answer to every request."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    text: str = DEFAULT_TEXT
    """What is answered, word by word, from the start again when more tokens are asked for; `{version}`
    becomes the version of the weights that the token is of."""
    num_tokens: int = Field(default=64, ge=1)
    """Tokens of an answer, unless the request asks for fewer."""
    tokens_per_second: float = Field(default=0.0, ge=0)
    """Pace of one stream; 0 sends all at once."""
    first_token_seconds: float = Field(default=0.0, ge=0)
    """Time before the first token of every answer."""
    slots: int = Field(default=0, ge=0)
    """Answers at once; the others wait in the engine. 0 means no limit."""
    start_seconds: float = Field(default=0.0, ge=0)
    """Time from start to ready."""
    weights: Path | None = None
    """Folder of the model that it plays; new weights are held to its tensors. Unset takes any."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong, and when."""


def read_script(path: Path | None) -> Script:
    """The script of a file; the default one for None. Raises EngineStartError."""
    if path is None:
        return Script()
    try:
        return Script.model_validate(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise EngineStartError(f"the script {path} cannot be played: {error}") from error
