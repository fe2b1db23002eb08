"""A folder of new weights, verified before a running engine is touched.

What passes is whole, is what its manifest says, has the tensors of the running model, and every
number in it is finite. Reads each byte once or twice and holds none; neither torch nor vllm.
"""

import hashlib
import json
import mmap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.errors import ModelCorrupt, WeightsRefused
from server.json_file import read_json
from server.model_manifest import NAME as MANIFEST
from server.model_manifest import SCHEMA
from server.safetensors_header import TensorFact
from server.tokenizer_file import NAME as TOKENIZER
from server.weight_files import weight_headers

FOLDER_BACKEND = "codeloop_folder"
"""The name under which vLLM's workers know the transfer out of a folder."""

CONFIG = "config.json"
PIECE_NUMBERS = 2**20

EXPONENTS: Mapping[str, tuple[str, int]] = {
    "F64": ("<u8", 0x7FF0000000000000),
    "F32": ("<u4", 0x7F800000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F8_E5M2": ("u1", 0x7C),
    "F8_E4M3": ("u1", 0x7F),
}
"""Type → how its bits are read, and the bits that are all set in NaN and infinity and nowhere else."""

SAME_IN_CONFIG = (
    "architectures",
    "model_type",
    "num_attention_heads",
    "num_key_value_heads",
    "tie_word_embeddings",
    "hidden_act",
    "rms_norm_eps",
)
"""What changes the answers of equal tensors; where one config lacks a key, it has the default."""


@dataclass(frozen=True, kw_only=True)
class VerifiedFolder:
    """A folder that passed.

    files: with weights, by name. digest: of all files, as a stored model's. stamps: size, time and
    inode of every file; they tell whether the folder is still the one that was read.
    """

    path: Path
    files: tuple[str, ...]
    digest: str
    num_bytes: int
    stamps: tuple[tuple[str, int, int, int], ...]
    seconds: float

    def is_unchanged(self) -> bool:
        """Whether the files are still those that were verified."""
        try:
            return self.stamps == _stamps(self.path)
        except OSError:
            return False


def verify_weights(folder: Path, running: Path | None) -> VerifiedFolder:
    """A folder whose weights may go into an engine that was started from `running`.

    running: None where the engine has no model of its own. Raises ModelCorrupt and WeightsRefused.
    """
    began = time.monotonic()
    if not folder.is_dir():
        raise ModelCorrupt(f"{folder} is no folder: publish the weights there first")
    headers = weight_headers(folder)
    if running is not None:
        _need_same_tensors(folder, headers, running)
        _need_same_config(folder, running)
        _need_same_tokenizer(folder, running)
    return finish_verification(folder, headers, began=began)


def finish_verification(
    folder: Path, headers: Mapping[str, Mapping[str, TensorFact]], *, began: float
) -> VerifiedFolder:
    """What full weights and adapters have in common: the manifest's hashes, and finite numbers."""
    stamps = _stamps(folder)
    hashes = {name: _sha256(folder / name) for name, *_ in stamps}
    _need_manifest(folder, hashes)
    for file, header in headers.items():
        _need_finite(folder / file, header)
    whole = hashlib.sha256()
    for name in sorted(hashes):
        whole.update(f"{name}\0{hashes[name]}\n".encode())
    return VerifiedFolder(
        path=folder,
        files=tuple(headers),
        digest=whole.hexdigest(),
        num_bytes=sum(t.num_bytes for header in headers.values() for t in header.values()),
        stamps=stamps,
        seconds=time.monotonic() - began,
    )


def all_tensors(
    folder: Path, headers: Mapping[str, Mapping[str, TensorFact]]
) -> dict[str, TensorFact]:
    """Tensors of all files by name. Raises ModelCorrupt for one that is in two files."""
    tensors: dict[str, TensorFact] = {}
    for header in headers.values():
        if twice := tensors.keys() & header.keys():
            raise ModelCorrupt(
                f"{folder} has {min(twice)} in two files: only one can count; publish it again"
            )
        tensors |= header
    return tensors


def _need_same_tensors(
    folder: Path, headers: Mapping[str, Mapping[str, TensorFact]], running: Path
) -> None:
    found = all_tensors(folder, headers)
    wanted = all_tensors(running, weight_headers(running))
    is_tied = bool(read_json(running / CONFIG).get("tie_word_embeddings"))
    differing = [name for name in found.keys() ^ wanted.keys() if not _is_unused(name, is_tied)]
    if differing:
        name = min(differing)
        which = ("has", "has not") if name in found else ("lacks", "has")
        raise WeightsRefused(
            f"{folder} {which[0]} the tensor {name}, which the running model {running}"
            f" {which[1]} ({len(differing)} names differ): it is another model; publish from the"
            " model that is served"
        )
    for name, tensor in found.items():
        other = wanted.get(name, tensor)
        if (tensor.dtype, tensor.shape, tensor.num_bytes) != (
            other.dtype,
            other.shape,
            other.num_bytes,
        ):
            raise WeightsRefused(
                f"{folder}: {name} is {tensor.dtype} {list(tensor.shape)}, but the running model has"
                f" {other.dtype} {list(other.shape)}; publish in its types and shapes"
            )


def _is_unused(name: str, is_tied: bool) -> bool:
    """Tensors that the engine computes itself, whether or not a checkpoint has them."""
    return name.endswith("rotary_emb.inv_freq") or (is_tied and name == "lm_head.weight")


def _need_same_config(folder: Path, running: Path) -> None:
    if not (folder / CONFIG).is_file():
        return
    found, wanted = read_json(folder / CONFIG), read_json(running / CONFIG)
    for key in SAME_IN_CONFIG:
        if key in found and key in wanted and found[key] != wanted[key]:
            raise WeightsRefused(
                f"{folder / CONFIG}: {key} is {found[key]!r}, but the running model has"
                f" {wanted[key]!r}; weights alone can be changed, publish from the served model"
            )


def _need_same_tokenizer(folder: Path, running: Path) -> None:
    new, old = folder / TOKENIZER, running / TOKENIZER
    if not new.is_file() or not old.is_file() or new.read_bytes() == old.read_bytes():
        return
    if _vocabulary(new) != _vocabulary(old):
        raise WeightsRefused(
            f"{new} knows other tokens than {old}: its ids would mean something else to the weights;"
            " publish with the tokenizer of the served model"
        )


def _vocabulary(path: Path) -> Any:
    """What decides which text has which ids; how the file is laid out is not part of it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        model = content["model"]
        merges = [m if isinstance(m, str) else " ".join(m) for m in model.get("merges") or ()]
        added = {token["content"]: token["id"] for token in content.get("added_tokens") or ()}
        return model["vocab"], merges, added
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelCorrupt(f"{path} is no tokenizer: {error}; publish it again") from None


def _need_manifest(folder: Path, hashes: Mapping[str, str]) -> None:
    path = folder / MANIFEST
    if not path.is_file():
        return
    manifest = read_json(path)
    if manifest.get("schema") != SCHEMA:
        raise ModelCorrupt(
            f"{path} has schema {manifest.get('schema')!r}: this server reads {SCHEMA}; publish with"
            " the codeloop that serves, or update the server"
        )
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(isinstance(fact, dict) for fact in files.values()):
        raise ModelCorrupt(f"{path} has no table of files; publish it again")
    if differing := sorted(files.keys() ^ hashes.keys()):
        why = "is missing" if differing[0] in files else "is not in the manifest"
        raise ModelCorrupt(f"{folder / differing[0]} {why}; publish the folder again")
    for name, fact in files.items():
        if fact.get("sha256") != hashes[name]:
            raise ModelCorrupt(
                f"{folder / name} has sha256 {hashes[name][:12]}…: its manifest says"
                f" {str(fact.get('sha256'))[:12]}…; it was changed or damaged, publish it again"
            )


def _need_finite(path: Path, header: Mapping[str, TensorFact]) -> None:
    import numpy as np

    if not header:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for name, tensor in header.items():
            if tensor.dtype not in EXPONENTS:
                continue
            kind, mask = EXPONENTS[tensor.dtype]
            size = np.dtype(kind).itemsize
            for first, count in _pieces(tensor.num_bytes // size):
                start = tensor.offset_bytes + first * size
                bits = np.frombuffer(content, kind, count, start)
                is_finite = int((bits & bits.dtype.type(mask)).max()) != mask
                del bits  # a view keeps the map from closing
                if not is_finite:
                    raise WeightsRefused(
                        f"{path} has a number in {name} that is NaN or infinite: the training step"
                        " that made it went wrong; publish a version from before it"
                    )


def _pieces(num: int) -> Iterator[tuple[int, int]]:
    for first in range(0, num, PIECE_NUMBERS):
        yield first, min(PIECE_NUMBERS, num - first)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamps(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return tuple(
        (str(path.relative_to(folder)), found.st_size, found.st_mtime_ns, found.st_ino)
        for path in paths
        if path != folder / MANIFEST
        for found in [path.stat()]
    )
