"""A model folder in Hugging Face's layout, looked over before an engine is started on it.

Reads configs, headers and the tokenizer's vocabulary, never a weight: it takes a fraction of a
second for any size, and finds what would otherwise come up minutes later in an engine's log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.errors import ModelCorrupt, ModelNotFound
from server.families import Family, family, family_of_folder
from server.safetensors_header import read_header

INDEX = "model.safetensors.index.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model")
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
    config = _read_json(path / "config.json")
    weights_bytes = sum(
        tensor.num_bytes for file in _weight_files(path) for tensor in read_header(file).values()
    )
    vocab_size = _vocab_size(path, config)
    _check_tokenizer(path, vocab_size)
    found = _family(path)
    return ModelFacts(
        path=path,
        family=found,
        max_context_tokens=_max_context_tokens(path, config, found),
        vocab_size=vocab_size,
        has_chat_template=_has_chat_template(path),
        weights_bytes=weights_bytes,
        config=config,
    )


def _family(path: Path) -> Family:
    """The one in the store's manifest, where there is one: the pull knew where the model came from."""
    if (path / "manifest.json").is_file():
        name = _read_json(path / "manifest.json").get("family")
        if isinstance(name, str):
            return family(name)
    return family_of_folder(path)


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelCorrupt(
            f"{path.parent} has no {path.name}: it is no model in Hugging Face's layout; fetch or"
            " convert the model again"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelCorrupt(f"{path} cannot be read as JSON: {error}; fetch it again") from None
    if not isinstance(content, dict):
        raise ModelCorrupt(f"{path} holds no JSON object; fetch it again")
    return content


def _weight_files(path: Path) -> list[Path]:
    if (path / INDEX).exists():
        weight_map = _read_json(path / INDEX).get("weight_map")
        if not isinstance(weight_map, dict):
            raise ModelCorrupt(f"{path / INDEX} has no weight_map; fetch it again")
        names = sorted(set(weight_map.values()))
        if missing := [name for name in names if not (path / name).is_file()]:
            raise ModelCorrupt(
                f"{path} lacks {len(missing)} of its {len(names)} weight files, {missing[0]} first:"
                " fetch the model again, the files that are whole are kept"
            )
        return [path / name for name in names]
    files = sorted(path.glob("*.safetensors"))
    if files:
        return files
    if any(path.glob("*.bin")):
        raise ModelCorrupt(
            f"{path} has its weights as pickle (*.bin), which runs code when it is loaded: only"
            " safetensors is served; convert it, or fetch a safetensors revision"
        )
    raise ModelCorrupt(f"{path} has no *.safetensors: the weights are missing; fetch them again")


def _vocab_size(path: Path, config: Mapping[str, Any]) -> int:
    size = config.get("vocab_size")
    if not isinstance(size, int) or size < 1:
        raise ModelCorrupt(f"{path / 'config.json'}: vocab_size is {size!r}: it must be positive")
    return size


def _check_tokenizer(path: Path, vocab_size: int) -> None:
    if not any((path / name).is_file() for name in TOKENIZER_FILES):
        raise ModelCorrupt(
            f"{path} has neither {' nor '.join(TOKENIZER_FILES)}: copy the model's own tokenizer"
            " files beside its config.json"
        )
    if not (path / TOKENIZER_FILES[0]).is_file():
        return  # the older format is read by the engine
    tokenizer = _read_json(path / TOKENIZER_FILES[0])
    vocabulary = tokenizer.get("model", {}).get("vocab", {})
    ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else [len(vocabulary) - 1]
    largest = max([*ids, *(added["id"] for added in tokenizer.get("added_tokens", ()))], default=-1)
    if largest < 0 or largest >= vocab_size:
        raise ModelCorrupt(
            f"{path / TOKENIZER_FILES[0]} has token ids up to {largest}, but config.json has a"
            f" vocab_size of {vocab_size}: it is another model's tokenizer; copy this model's own"
        )


def _max_context_tokens(path: Path, config: Mapping[str, Any], family: Family) -> int:
    own = config.get("max_position_embeddings")
    if not isinstance(own, int) or own < 1:
        raise ModelCorrupt(
            f"{path / 'config.json'}: max_position_embeddings is {own!r}: it must be positive"
        )
    if family.yarn:
        return max(own, family.max_context_tokens or own)
    return min(own, family.max_context_tokens or own)


def _has_chat_template(path: Path) -> bool:
    if (path / "chat_template.jinja").is_file():
        return True
    tokenizer_config = path / CONFIG_OF_TOKENIZER
    return tokenizer_config.is_file() and bool(_read_json(tokenizer_config).get("chat_template"))
