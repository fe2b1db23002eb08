"""A model folder in Hugging Face's layout, looked over before an engine is started on it.

Reads configs, headers and the tokenizer's vocabulary, never a weight: it takes a fraction of a
second for any size, and finds what would otherwise come up minutes later in an engine's log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.errors import ModelCorrupt, ModelNotFound
from server.families import Family, family, family_of_folder
from server.json_file import read_json
from server.tokenizer_file import NAME as TOKENIZER
from server.tokenizer_file import read_tokenizer
from server.weight_files import weights_bytes

OLD_TOKENIZER = "tokenizer.model"
CONFIG_OF_TOKENIZER = "tokenizer_config.json"


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a folder holds.

    max_context_tokens: the longest context that config and family allow. weights_bytes: of all
    tensors. has_chat_template: without one, chat is refused and completions are served.
    """

    path: Path
    family: Family
    max_context_tokens: int
    vocab_size: int
    has_chat_template: bool
    weights_bytes: int
    config: Mapping[str, Any]


def check_folder(path: Path) -> ModelFacts:
    """The facts of a folder that can be served. Raises ModelNotFound or ModelCorrupt."""
    if not path.is_dir():
        raise ModelNotFound(f"{path} is no folder: a model is a folder with config.json in it")
    config = read_json(path / "config.json")
    num_bytes = weights_bytes(path)
    vocab_size = _positive(path, config, "vocab_size")
    found = _family(path)
    _check_tokenizer(path, config, found)
    return ModelFacts(
        path=path,
        family=found,
        max_context_tokens=_max_context_tokens(path, config, found),
        vocab_size=vocab_size,
        has_chat_template=_has_chat_template(path),
        weights_bytes=num_bytes,
        config=config,
    )


def _family(path: Path) -> Family:
    """The one in the store's manifest, where there is one: the pull knew where the model came from."""
    if (path / "manifest.json").is_file():
        name = read_json(path / "manifest.json").get("family")
        if isinstance(name, str):
            return family(name)
    return family_of_folder(path)


def _positive(path: Path, config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise ModelCorrupt(f"{path / 'config.json'}: {key} is {value!r}: it must be positive")
    return value


def _check_tokenizer(path: Path, config: Mapping[str, Any], family: Family) -> None:
    """Refuse a tokenizer that cannot be this model's. The older format is left to the engine."""
    tokenizer = read_tokenizer(path)
    if tokenizer is None:
        if not (path / OLD_TOKENIZER).is_file():
            raise ModelCorrupt(
                f"{path} has neither {TOKENIZER} nor {OLD_TOKENIZER}: copy the model's own tokenizer"
                " files beside its config.json"
            )
        return
    largest, vocab_size = max(tokenizer.ids, default=-1), config["vocab_size"]
    if not 0 <= largest < vocab_size:
        raise _foreign(
            path, f"has token ids up to {largest}, but config.json has a vocab_size of {vocab_size}"
        )
    ends = config.get("eos_token_id")
    for end in ends if isinstance(ends, list) else [ends]:
        if isinstance(end, int) and end not in tokenizer.ids:
            raise _foreign(path, f"has no token {end}, which config.json has as eos_token_id")
    for tag in family.reasoning_tags or ():
        if tag not in tokenizer.added:
            raise _foreign(path, f"has no token {tag}, with which {family.title} reasons")


def _foreign(path: Path, why: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"{path / TOKENIZER} {why}: it is another model's tokenizer; copy this model's own"
    )


def _max_context_tokens(path: Path, config: Mapping[str, Any], family: Family) -> int:
    own = _positive(path, config, "max_position_embeddings")
    if family.yarn:
        return max(own, family.max_context_tokens or own)
    return min(own, family.max_context_tokens or own)


def _has_chat_template(path: Path) -> bool:
    if (path / "chat_template.jinja").is_file():
        return True
    tokenizer_config = path / CONFIG_OF_TOKENIZER
    return tokenizer_config.is_file() and bool(read_json(tokenizer_config).get("chat_template"))
