"""A version folder: a model that an engine loads, whole or not there at all.

The model's own Hugging Face layout and the server's manifest (schema 1) with what training adds under
`training`. Written into a hidden folder beside it, flushed, then one rename.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor

from trainer.errors import SaveFailed
from trainer.weight_writer import (
    KINDS,
    SHARD_BYTES,
    TensorPlan,
    Written,
    write_bytes,
    write_weights,
)

MANIFEST = "manifest.json"
_WEIGHT_SUFFIXES = (
    ".safetensors",
    ".bin",
    ".pt",
    ".pth",
    ".gguf",
    ".index.json",
    ".h5",
    ".msgpack",
)
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where a version comes from. base: the folder of the model that was trained from.

    run: the run's name. recipe_sha256: of what it was told to do. dataset_sha256s: of the problems that
    it was trained on, by the data set's name.
    """

    base: Path
    run: str = "run"
    recipe_sha256: str | None = None
    dataset_sha256s: Mapping[str, str] = field(default_factory=dict)


def write_version(
    folder: Path,
    *,
    plans: Sequence[TensorPlan],
    tensors: Iterable[Tensor],
    lineage: Lineage,
    training: Mapping[str, Any],
    adapter_config: str | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write a version folder. tensors: on any device, in the order of the plans and of their shapes.

    adapter_config: for an adapter, peft's file; the model's own config is then left out. Raises
    SaveFailed, after which neither `folder` nor anything unfinished of it is left.
    """
    if folder.exists():
        raise SaveFailed(
            f"the version folder {folder} is there already: a version never changes; publish under"
            " another name, or remove it"
        )
    with _unfinished(folder) as hidden:
        kind = "model" if adapter_config is None else "adapter_model"
        files, places = write_weights(hidden, kind, plans, tensors, shard_bytes=shard_bytes)
        for name, text in _small_files(lineage.base, adapter_config):
            files[name] = write_bytes(hidden / name, text)
        manifest = _manifest(folder.name, lineage, files, places, plans, training)
        write_bytes(hidden / MANIFEST, json.dumps(manifest, indent=1).encode() + b"\n")
        _flush_folder(hidden)


def remove_unfinished(folder: Path) -> None:
    """Clear away what a killed process left half-written in the folder of versions."""
    for path in folder.glob(f".*{_UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A hidden folder that becomes `folder` at the end, or vanishes with whatever went wrong."""
    hidden = folder.with_name(f".{folder.name}{_UNFINISHED}{uuid.uuid4().hex[:8]}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        hidden.mkdir()
        yield hidden
        hidden.rename(folder)
        _flush_folder(folder.parent)
    except OSError as error:
        raise SaveFailed(
            f"the version {folder} could not be written ({error}): the last one stands and nothing of"
            " this one is left; make room, or name another folder"
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _small_files(base: Path, adapter_config: str | None) -> Iterator[tuple[str, bytes]]:
    """What lies beside the weights: the base's config, tokenizer, chat template; or an adapter's config."""
    if adapter_config is not None:
        yield "adapter_config.json", adapter_config.encode()
        return
    for path in sorted(base.iterdir()):
        if path.name.startswith(".") or path.name.endswith(_WEIGHT_SUFFIXES):
            continue
        if path.is_file() and path.name != MANIFEST:
            text = path.read_bytes()
            yield path.name, _as_bfloat16(text) if path.name == "config.json" else text


def _as_bfloat16(config: bytes) -> bytes:
    """The config with the type that the weights are written in, left alone where it says so already."""
    known = json.loads(config)
    key = "torch_dtype" if "torch_dtype" in known else "dtype"
    if known.get(key) == "bfloat16":
        return config
    return json.dumps(known | {key: "bfloat16"}, indent=2).encode() + b"\n"


def _manifest(
    name: str,
    lineage: Lineage,
    files: Mapping[str, Written],
    places: Mapping[str, str],
    plans: Sequence[TensorPlan],
    training: Mapping[str, Any],
) -> dict[str, Any]:
    """The server's schema 1, read there by model_manifest.py, with a table of our own at the end."""
    base = _base_manifest(lineage.base)
    tokenizer = lineage.base / "tokenizer.json"
    return {
        "schema": 1,
        "name": name,
        "source": "codeloop train",
        "revision": None,
        "family": base.get("family", "generic"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tokenizer_sha256": _sha256(tokenizer) if tokenizer.is_file() else None,
        "files": {
            file: {"sha256": written.sha256, "bytes": written.num_bytes}
            for file, written in sorted(files.items())
        },
        "tensors": {
            plan.name: {
                "dtype": KINDS[plan.dtype], "shape": list(plan.shape), "file": places[plan.name],
            }
            for plan in plans
        },
        "training": {
            "run": lineage.run,
            "base": base.get("name", lineage.base.name),
            "recipe_sha256": lineage.recipe_sha256,
            "dataset_sha256s": dict(lineage.dataset_sha256s),
            **training,
        },
    }  # fmt: skip


def _base_manifest(base: Path) -> dict[str, Any]:
    try:
        found = json.loads((base / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
