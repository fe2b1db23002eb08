"""What a loop is told: one TOML file beside the settings of the server.

Every field's docstring is its manual. The models that it names stand in the settings file.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.errors import LoopInvalid
from evaluator.gate_file import Gate
from server.settings import ServerSettings


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class HeldOutTable(_Table):
    """How the held-out problems are asked, of the live version and of each candidate."""

    data: str = "short-functions"
    """Problems that are never trained on: a data set that `codeloop train data build` made, or
    "short-functions", the held-out kinds of the built-in family."""
    suite: str = "short-functions-held-out"
    """The suite's name, by which the gate asks for it."""
    difficulties: tuple[str, ...] = Field(default=(), strict=False)
    """Only problems of these, as in a recipe's table data; empty takes all."""
    problems: int = Field(default=0, ge=0)
    """Only so many, spread evenly over the kinds; 0 for all."""
    samples: int = Field(default=4, ge=1)
    """Answers to a problem."""
    temperature: float = Field(default=0.7, gt=0, le=2)
    """Of sampling; one for both versions."""
    max_tokens: int = Field(default=64, ge=1)
    """Where an answer is cut."""
    concurrency: int = Field(default=64, ge=1)
    """Requests at once, in the eval lane."""


class CanaryTable(_Table):
    """How a version that passed goes live."""

    share: float = Field(default=0.0, ge=0, le=1)
    """Share of the users' requests that it answers first; 0 for all at once."""
    requests: int = Field(default=50, ge=1)
    """Answers of the canary after which it is decided."""
    most_seconds: float = Field(default=600.0, gt=0)
    """When too few users asked by then to decide, it goes live."""
    way: Literal["auto", "adapter", "blue_green", "in_place"] = "auto"
    """How the weights are swapped; `auto` takes what needs no pause where memory allows. A canary of
    full weights needs a second engine beside the first."""


class TrafficTable(_Table):
    """Users that the loop itself plays, to show what they notice: nothing."""

    users: int = Field(default=0, ge=0, le=1000)
    """How many ask at a time; 0 for none."""
    pause_seconds: float = Field(default=2.0, ge=0)
    """From an answer to the same user's next question."""
    max_tokens: int = Field(default=32, ge=1)
    """Longest answer."""


class GoalTable(_Table):
    """What has to be so at the end, or the exit code is 3."""

    least_gain: float | None = Field(default=None, ge=-1, le=1)
    """Lower bound of the live version's gain over version 0 on the held-out problems, as a share."""
    least_promotions: int = Field(default=0, ge=0)
    """Versions that went live through the gate."""
    most_failed_requests: int | None = Field(default=None, ge=0)
    """Requests of the played users that got no whole answer."""


class LoopSettings(_Table):
    """The whole file."""

    name: str = Field(min_length=1, max_length=24, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    """Of the loop: begins the names of its versions."""
    model: str
    """The model that users ask, and whose versions are promoted."""
    sampler: str
    """The model with `role = "sampler"` that rollouts and evaluations are drawn from."""
    recipe: str
    """What is trained: a recipe's file beside this one, or a shipped recipe's name."""
    changes: tuple[str, ...] = ()
    """Changes to the recipe, `table.key=value` each."""
    iterations: int = Field(ge=1)
    """Iterations from one candidate to the next."""
    rounds: int = Field(default=0, ge=0)
    """Candidates in all; 0 goes on until stopped."""
    heldout: HeldOutTable = HeldOutTable()
    gate: Gate
    """What a candidate has to show, as in `codeloop eval gate`."""
    canary: CanaryTable = CanaryTable()
    override: str = ""
    """Promote whatever the gate says, for this reason, which the history keeps. Empty: only what passed."""
    traffic: TrafficTable = TrafficTable()
    goal: GoalTable = GoalTable()


def read_loop(path: Path) -> LoopSettings:
    """The file's settings, its recipe found beside it. Raises LoopInvalid."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        settings = LoopSettings.model_validate(tables)
    except OSError as error:
        raise LoopInvalid(
            f"{path} cannot be read ({error.strerror}): name a loop's file, such as"
            " deploy/loop/example.toml"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LoopInvalid(f"{path} is no TOML: {error}; mend that line") from error
    except ValidationError as error:
        raise LoopInvalid("\n".join(_sentence(path, dict(f)) for f in error.errors())) from error
    beside = path.parent / settings.recipe
    return settings.model_copy(update={"recipe": str(beside)}) if beside.is_file() else settings


def check_models(settings: LoopSettings, server: ServerSettings) -> None:
    """Raise LoopInvalid unless the server has both models in the roles that they play."""
    roles = {model.name: model.role for model in server.models}
    wanted = (("model", settings.model, "serving"), ("sampler", settings.sampler, "sampler"))
    for key, name, role in wanted:
        if roles.get(name) != role:
            found = roles.get(name, "missing")
            raise LoopInvalid(
                f"{key} is {name!r}, which is {found} in the settings of the server: it has to be a"
                f' model with role = "{role}"; add it under [[server.models]], or name another'
            )
    if settings.heldout.suite not in settings.gate.suites:
        raise LoopInvalid(
            f"gate.suites has {', '.join(settings.gate.suites)}: the gate judges"
            f" {settings.heldout.suite}, what is held out; ask something of it"
        )


def _sentence(path: Path, fault: dict[str, Any]) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    found = "" if fault["type"] in ("missing", "extra_forbidden") else f" is {fault['input']!r}"
    return f"{path}: {name}{found}: {fault['msg']}; docs/loop.md has every key"
