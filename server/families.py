"""Model families as data: what a model needs that its folder does not say.

One TOML file a family in `families/`. A family is recognised from the model's config and from
its name, the first file in alphabetical order that matches most exactly; `generic` takes the rest.
"""

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.errors import ModelCorrupt, ModelError

FOLDER = Path(__file__).parent / "families"
GENERIC = "generic"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Match(_Data):
    """Which models are of the family: all that is given must hold."""

    architectures: tuple[str, ...] = ()
    """One of the config's `architectures`."""
    names: tuple[str, ...] = ()
    """One of these is part of the model's name, in lower case."""
    not_names: tuple[str, ...] = ()
    """None of these is part of it."""
    config: Mapping[str, Any] = Field(default_factory=dict)
    """Keys of the config and the values they must have."""


class Fim(_Data):
    """Markup of a prompt with a hole, and the strings that end what fills it."""

    prefix: str
    suffix: str
    middle: str
    order: Literal["prefix-suffix-middle", "suffix-prefix-middle"] = "prefix-suffix-middle"
    stop: tuple[str, ...]

    def render(self, prefix: str, suffix: str) -> str:
        """The prompt whose continuation fills the hole between the two texts."""
        before, after = self.prefix + prefix, self.suffix + suffix
        if self.order == "suffix-prefix-middle":
            before, after = after, before
        return before + after + self.middle


class Yarn(_Data):
    """Rope scaling for contexts past the model's own; needed by none below `above_tokens`."""

    above_tokens: int
    """Contexts up to here need no scaling."""
    factor: float
    original_tokens: int


class Family(_Data):
    """One family."""

    name: str
    title: str
    match: Match | None = None
    default_context_tokens: int | None = None
    """Context served unless told otherwise; None means all that the model has."""
    max_context_tokens: int | None = None
    """Longest context the family is known to work with; None means what the config says."""
    yarn: Yarn | None = None
    sampling: Mapping[str, float] = Field(default_factory=dict)
    """Sampling where the request says nothing; names as in the API."""
    system_prompt: Literal["allowed", "none"] = "allowed"
    """`none`: system text is moved to the front of the first user message."""
    reasoning_parser: str | None = None
    """The engine's parser that splits reasoning from the answer."""
    reasoning_tags: tuple[str, str] | None = None
    tool_parser: str | None = None
    """The engine's parser for tool calls; None for models that were not trained to make them."""
    fim: Fim | None = None
    """Fill-in-the-middle markup; None for models that were not trained for it."""
    notes: tuple[str, ...] = ()
    """What a person should know, shown by `codeloop models show`."""

    def hf_overrides(self, context_tokens: int) -> dict[str, Any]:
        """Config values that make the engine serve that context; empty when it can as it is.

        vLLM 0.32 no longer multiplies the length by the YaRN factor: both must be said.
        """
        if self.yarn is None or context_tokens <= self.yarn.above_tokens:
            return {}
        return {
            "max_position_embeddings": context_tokens,
            "rope_parameters": {
                "rope_type": "yarn",
                "factor": self.yarn.factor,
                "original_max_position_embeddings": self.yarn.original_tokens,
            },
        }


@cache
def load_families() -> Mapping[str, Family]:
    """Every family by name. Raises ModelError naming the file that cannot be read."""
    families = {}
    for path in sorted(FOLDER.glob("*.toml")):
        try:
            families[path.stem] = Family(
                name=path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))
            )
        except (tomllib.TOMLDecodeError, ValidationError) as error:
            raise ModelError(f"the family file {path} cannot be read: {error}") from error
    return families


def family(name: str) -> Family:
    """The family of that name. Raises ModelError listing the known ones."""
    families = load_families()
    if name not in families:
        raise ModelError(f"no model family {name!r}: known are {', '.join(families)}")
    return families[name]


def recognise(config: Mapping[str, Any], name: str) -> Family:
    """The family of a model by its config and its name (folder or hub id).

    Of several that match, the one that asks for most wins.
    """
    found = [
        (_exactness(candidate.match), candidate)
        for candidate in load_families().values()
        if candidate.match and _matches(candidate.match, config, name.lower())
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else family(GENERIC)


def family_of_folder(folder: Path) -> Family:
    """The family of a model folder. Raises ModelCorrupt when its config cannot be read."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelCorrupt(
            f"{path} cannot be read as JSON: {error}; fetch the model again"
        ) from None
    return recognise(config, f"{config.get('_name_or_path', '')} {folder.name}")


def _matches(match: Match, config: Mapping[str, Any], name: str) -> bool:
    architectures = config.get("architectures") or []
    return (
        (not match.architectures or any(a in match.architectures for a in architectures))
        and (not match.names or any(part in name for part in match.names))
        and not any(part in name for part in match.not_names)
        and all(config.get(key) == value for key, value in match.config.items())
    )


def _exactness(match: Match) -> int:
    return bool(match.architectures) + 2 * bool(match.names) + len(match.config)
