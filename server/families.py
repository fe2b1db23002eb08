"""Model families as data: what a model needs that its folder does not say.

One TOML file a family in `families/`. A family is recognised from the model's config, its name and
its tokenizer; of several that match, the one that names the model most fully; `generic` takes the
rest.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.errors import ModelError
from server.json_file import read_json
from server.tokenizer_file import added_tokens

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
    tokens: tuple[str, ...] = ()
    """All of these are added tokens of its tokenizer."""
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
    rope_theta: float
    """The model's own rotary base; left out, the engine's default for the architecture decides."""


class Family(_Data):
    """One family."""

    name: str
    title: str
    match: tuple[Match, ...] = ()
    """A model is of the family when one of these holds."""
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

        vLLM 0.32 no longer multiplies the length by the YaRN factor: both must be said. It takes
        `rope_parameters` as a whole in place of the config's.
        """
        if self.yarn is None or context_tokens <= self.yarn.above_tokens:
            return {}
        return {
            "max_position_embeddings": context_tokens,
            "rope_parameters": {
                "rope_type": "yarn",
                "factor": self.yarn.factor,
                "original_max_position_embeddings": self.yarn.original_tokens,
                "rope_theta": self.yarn.rope_theta,
            },
        }


@cache
def load_families() -> Mapping[str, Family]:
    """Every family by name. Raises ModelError naming the file that cannot be read."""
    families = {}
    for path in sorted(FOLDER.glob("*.toml")):
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            families[path.stem] = Family.model_validate({**content, "name": path.stem})
        except (tomllib.TOMLDecodeError, ValidationError) as error:
            raise ModelError(f"the family file {path} cannot be read: {error}") from error
    return families


def family(name: str) -> Family:
    """The family of that name. Raises ModelError listing the known ones."""
    families = load_families()
    if name not in families:
        raise ModelError(f"no model family {name!r}: known are {', '.join(families)}")
    return families[name]


def recognise(
    config: Mapping[str, Any], name: str, *, tokens: frozenset[str] = frozenset()
) -> Family:
    """The family of a model by its config, its name (folder or hub id) and its added tokens."""
    found = [
        (_exactness(match, name.lower()), candidate.name)
        for candidate in load_families().values()
        for match in candidate.match
        if _matches(match, config, name.lower(), tokens)
    ]
    return family(max(found)[1] if found else GENERIC)


def family_of_folder(folder: Path, *, known_as: str = "") -> Family:
    """The family of a model folder. Raises ModelCorrupt when config or tokenizer cannot be read.

    known_as: names that it has besides its folder's, such as the hub id that it came from.
    """
    config = read_json(folder / "config.json")
    name = f"{config.get('_name_or_path', '')} {folder.name} {known_as}"
    return recognise(config, name, tokens=added_tokens(folder))


def _matches(match: Match, config: Mapping[str, Any], name: str, tokens: frozenset[str]) -> bool:
    architectures = config.get("architectures") or []
    return (
        (not match.architectures or any(a in match.architectures for a in architectures))
        and (not match.names or any(part in name for part in match.names))
        and not any(part in name for part in match.not_names)
        and tokens.issuperset(match.tokens)
        and all(config.get(key) == value for key, value in match.config.items())
    )


def _exactness(match: Match, name: str) -> tuple[int, int]:
    """Longest part of the name that is matched, then how much else is asked for."""
    longest = max((len(part) for part in match.names if part in name), default=0)
    return longest, len(match.tokens) + len(match.config) + bool(match.architectures)
