"""Weights into safetensors files, tensor by tensor, hashed while they are written.

No more than two tensors are held and no byte is read again; that is why the few lines of the format are
written here, of which the format's own library wants all tensors at once.
Format: 8 bytes little-endian length, that many bytes of JSON header, then the data end to end.
"""

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from trainer.errors import ModelUnfit

SHARD_BYTES = 5 * 10**9
KINDS = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32", torch.float64: "F64"}


@dataclass(frozen=True, kw_only=True)
class TensorPlan:
    """A tensor to come: what the header says before the bytes are there."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * int(self.dtype.itemsize)


@dataclass(frozen=True, kw_only=True)
class Written:
    """One file with its hash, taken while it was written."""

    sha256: str
    num_bytes: int


def write_weights(
    folder: Path,
    kind: str,
    plans: Sequence[TensorPlan],
    tensors: Iterable[Tensor],
    *,
    shard_bytes: int,
) -> tuple[dict[str, Written], dict[str, str]]:
    """Weights in shards named by their kind: files with their hashes, and each tensor's file.

    tensors: on any device, in the order of the plans. Raises OSError, and ModelUnfit for another shape.
    """
    shards = _shards(plans, shard_bytes)
    names = [
        f"{kind}.safetensors"
        if len(shards) == 1
        else f"{kind}-{n:05}-of-{len(shards):05}.safetensors"
        for n in range(1, len(shards) + 1)
    ]
    source = iter(tensors)
    files, places = {}, {}
    for name, shard in zip(names, shards, strict=True):
        files[name] = _write_shard(folder / name, shard, source)
        places.update({plan.name: name for plan in shard})
    if len(shards) > 1:
        total = sum(plan.num_bytes for plan in plans)
        index = {"metadata": {"total_size": total}, "weight_map": places}
        name = f"{kind}.safetensors.index.json"
        files[name] = write_bytes(folder / name, json.dumps(index, indent=2).encode() + b"\n")
    return files, places


def _shards(plans: Sequence[TensorPlan], shard_bytes: int) -> list[list[TensorPlan]]:
    shards: list[list[TensorPlan]] = [[]]
    num_bytes = 0
    for plan in plans:
        if shards[-1] and num_bytes + plan.num_bytes > shard_bytes:
            shards.append([])
            num_bytes = 0
        shards[-1].append(plan)
        num_bytes += plan.num_bytes
    return shards


def _write_shard(path: Path, shard: Sequence[TensorPlan], tensors: Iterator[Tensor]) -> Written:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for plan in shard:
        end = offset + plan.num_bytes
        header[plan.name] = {
            "dtype": KINDS[plan.dtype], "shape": list(plan.shape), "data_offsets": [offset, end],
        }  # fmt: skip
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb", buffering=0) as file, _Hashing(file) as hashing:
        hashing.write(struct.pack("<Q", len(text)) + text)
        for plan in shard:
            tensor = next(tensors)
            if tuple(tensor.shape) != plan.shape:
                raise ModelUnfit(
                    f"the tensor {plan.name} has shape {tuple(tensor.shape)}: the checkpoint's is"
                    f" {plan.shape}; the model's code renames or splits its weights when saving"
                )
            there = tensor.detach().to(device="cpu", dtype=plan.dtype).contiguous()
            hashing.write(memoryview(there.view(-1).view(torch.uint8).numpy()))
        os.fsync(file.fileno())
    return hashing.written()


class _Hashing:
    """Writes to a file while another thread hashes the same bytes: each takes about as long."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._num_bytes = 0
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._last: Future[None] | None = None

    def __enter__(self) -> "_Hashing":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def write(self, piece: "bytes | memoryview") -> None:
        if self._last is not None:
            self._last.result()  # at most one piece waits, so that memory stays bounded
        self._last = self._thread.submit(self._digest.update, piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._num_bytes += len(piece)

    def written(self) -> Written:
        """After the body of the `with`."""
        return Written(sha256=self._digest.hexdigest(), num_bytes=self._num_bytes)


def write_bytes(path: Path, text: bytes) -> Written:
    """A small file, flushed to the disk."""
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Written(sha256=hashlib.sha256(text).hexdigest(), num_bytes=len(text))
