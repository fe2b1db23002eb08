"""A LoRA adapter in peft's layout, verified before an engine loads it beside the running model."""

import re
import time
from collections.abc import Mapping
from pathlib import Path

from server.errors import ModelCorrupt, WeightsRefused
from server.json_file import read_json
from server.safetensors_header import TensorFact, read_header
from server.weight_files import weight_headers
from server.weight_folder import VerifiedFolder, all_tensors, finish_verification

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
TENSOR = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


def verify_adapter(folder: Path, running: Path | None, *, most_rank: int) -> VerifiedFolder:
    """An adapter that the engine on `running` can load.

    most_rank: the largest that the engine was started for. Raises ModelCorrupt and WeightsRefused.
    """
    began = time.monotonic()
    rank = read_json(folder / CONFIG).get("r")
    if not isinstance(rank, int) or not 1 <= rank <= most_rank:
        raise WeightsRefused(
            f"{folder / CONFIG}: the rank r is {rank!r}, but the engine takes 1 to {most_rank}; train"
            " with a smaller rank, or raise adapter_rank of the model in the settings"
        )
    if not (folder / WEIGHTS).is_file():
        raise ModelCorrupt(f"{folder} has no {WEIGHTS}: it is no adapter; publish it again")
    headers = {WEIGHTS: read_header(folder / WEIGHTS)}
    if running is not None:
        _need_fitting(folder, headers[WEIGHTS], all_tensors(running, weight_headers(running)))
    return finish_verification(folder, headers, began=began)


def _need_fitting(
    folder: Path, found: Mapping[str, TensorFact], base: Mapping[str, TensorFact]
) -> None:
    """Every tensor is one side of a low-rank change of a matrix that the model has.

    A is [rank, in] and B is [out, rank] beside a base matrix [out, in].
    """
    for name, tensor in found.items():
        match = TENSOR.fullmatch(name)
        matrix = base.get(f"{match['module']}.weight") if match else None
        if match is None or matrix is None:
            raise WeightsRefused(
                f"{folder}: the running model has nothing that {name} could change; train the"
                " adapter on the served model"
            )
        axis = 1 if match["side"] == "A" else 0
        if len(tensor.shape) != 2 or tensor.shape[axis] != matrix.shape[axis]:
            raise WeightsRefused(
                f"{folder}: {name} is {list(tensor.shape)} beside a matrix {list(matrix.shape)} of the"
                " running model: it is another model's; train the adapter on the served model"
            )
