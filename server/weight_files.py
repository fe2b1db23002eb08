"""The weight files of a model folder: all there, whole, and the ones that belong together.

Only headers are read. Where the index of the shards is missing, their names tell how many they are.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from server.errors import ModelCorrupt
from server.json_file import read_json
from server.safetensors_header import TensorFact, read_header

INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"-\d{5}-of-(\d{5})\.safetensors$")


def weights_bytes(path: Path) -> int:
    """Size of all tensors. Raises ModelCorrupt as `weight_headers` does."""
    headers = weight_headers(path).values()
    return sum(tensor.num_bytes for header in headers for tensor in header.values())


def weight_headers(path: Path) -> Mapping[str, Mapping[str, TensorFact]]:
    """Weight file → its tensors, each looked for where the index says that it is.

    Raises ModelCorrupt for a file that is missing, cut short, another one, or pickle.
    """
    promised = _promised_tensors(path)
    headers = {}
    for file in _weight_files(path, promised):
        header = read_header(path / file)
        if lost := promised.get(file, set()) - header.keys():
            raise ModelCorrupt(
                f"{path / file} lacks {len(lost)} of the tensors that {INDEX} says it has,"
                f" {min(lost)} first: it is another file under this name, fetch it again"
            )
        headers[file] = header
    return headers


def _promised_tensors(path: Path) -> Mapping[str, set[str]]:
    """Weight file → its tensors, by the index; empty when there is no index."""
    if not (path / INDEX).exists():
        return {}
    weight_map = read_json(path / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelCorrupt(f"{path / INDEX} has no weight_map; fetch it again")
    tensors: dict[str, set[str]] = {}
    for tensor, file in weight_map.items():
        if not isinstance(file, str) or Path(file).name != file:
            raise ModelCorrupt(
                f"{path / INDEX} has {tensor} in {file!r}: that is no file of this folder; fetch it"
                " again"
            )
        tensors.setdefault(file, set()).add(tensor)
    return tensors


def _weight_files(path: Path, promised: Mapping[str, set[str]]) -> list[str]:
    """Names of the files with weights, all there. Raises ModelCorrupt."""
    here = sorted(file.name for file in path.glob("*.safetensors"))
    wanted = sorted(promised) or [name for name in here for name in _all_shards(name)]
    if missing := [name for name in wanted if not (path / name).is_file()]:
        raise ModelCorrupt(
            f"{path} lacks {len(set(missing))} of its {len(set(wanted))} weight files,"
            f" {missing[0]} first: fetch the model again, the files that are whole are kept"
        )
    if wanted:
        return sorted(set(wanted))
    if any(path.glob("*.bin")) or any(path.glob("*.pt")):
        raise ModelCorrupt(
            f"{path} has its weights as pickle (*.bin), which runs code when it is loaded: only"
            " safetensors is served; convert it, or fetch a safetensors revision"
        )
    raise ModelCorrupt(f"{path} has no *.safetensors: the weights are missing; fetch them again")


def _all_shards(name: str) -> Iterator[str]:
    """The whole set that a shard's name tells of; a name that tells of none is itself."""
    match = SHARD.search(name)
    if match is None:
        yield name
        return
    total = match.group(1)
    for number in range(1, int(total) + 1):
        shard = f"-{number:0{len(total)}}-of-{total}.safetensors"
        yield name[: match.start()] + shard
