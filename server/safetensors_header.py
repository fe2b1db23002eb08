"""The header of a safetensors file, read without loading a weight.

Format: 8 bytes little-endian length, that many bytes of JSON (name → dtype, shape, data_offsets),
then the data. Source: the safetensors format description of its authors.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.errors import ModelCorrupt

LONGEST_HEADER_BYTES = 100 * 2**20


@dataclass(frozen=True, kw_only=True)
class TensorFact:
    """One tensor as its file describes it. offset_bytes: where its data begin, from the file's start."""

    dtype: str
    shape: tuple[int, ...]
    num_bytes: int
    offset_bytes: int


def read_header(path: Path) -> Mapping[str, TensorFact]:
    """Name → tensor. Raises ModelCorrupt when the file is cut short or is something else."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(size, LONGEST_HEADER_BYTES):
                raise ValueError(f"its header claims {length} bytes of the file's {size}")
            entries = json.loads(file.read(length))
        entries.pop("__metadata__", None)
        tensors = {
            name: TensorFact(
                dtype=entry["dtype"],
                shape=tuple(entry["shape"]),
                num_bytes=entry["data_offsets"][1] - entry["data_offsets"][0],
                offset_bytes=8 + length + entry["data_offsets"][0],
            )
            for name, entry in entries.items()
        }
        end = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelCorrupt(
            f"{path} is no safetensors file: {error}; fetch or convert the model again"
        ) from None
    if size != end:
        raise ModelCorrupt(
            f"{path} has {size} bytes: its header describes {end}; it was cut short or changed,"
            " fetch it again"
        )
    return tensors
