"""What runs inside vLLM's worker process, beside the model: new weights, and repairs for a CPU.

vLLM imports this module in the worker (`--worker-extension-cls`) before it loads the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)
from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory

from server.own_pages import own_pages
from server.weight_folder import FOLDER_BACKEND

PROBE_TOKENS = 16


class RewindableGenerator(torch.Generator):  # type: ignore[misc]  # torch is not followed
    """A CPU generator that can be rewound as vLLM 0.32 rewinds a CUDA one.

    When a prompt is prefilled in several chunks, vLLM throws away the token sampled after every
    chunk but the last, and rewinds the request's generator by its offset. CPU generators have no
    offset: `get_offset` raises, and one seeded request ends the engine. Throwing away happens
    before the first kept token, so returning to the seed is the exact rewind. (After a preemption
    a long answer is prefilled again; there the seed's sequence starts anew.)
    """

    def get_offset(self) -> int:
        return 0

    def set_offset(self, offset: int) -> None:
        self.manual_seed(self.initial_seed())


@dataclass
class NoHandshake(WeightTransferInitInfo):  # type: ignore[misc]  # vllm is not followed
    """A folder needs no connection to whoever wrote it."""


@dataclass
class FolderUpdate(WeightTransferUpdateInfo):  # type: ignore[misc]
    """Where the weights lie: names of safetensors files in a folder that every rank can read."""

    folder: str
    files: list[str]


class FolderTransfer(WeightTransferEngine):  # type: ignore[misc]
    """vLLM's weight transfer, out of a folder in Hugging Face's layout.

    Each rank reads the files and keeps its own share of every tensor, as at the first loading.
    """

    init_info_cls = NoHandshake
    update_info_cls = FolderUpdate

    def init_transfer_engine(self, init_info: NoHandshake) -> None:
        pass

    def start_weight_update(self) -> None:
        from vllm.model_executor.model_loader.reload import initialize_layerwise_reload

        initialize_layerwise_reload(self.model)

    def receive_weights(self, update_info: FolderUpdate) -> None:
        try:
            self.model.load_weights(_tensors(update_info))
        except BaseException:
            # Half-filled layers would count what they have into the next update.
            self.finish_weight_update()
            raise

    def finish_weight_update(self) -> None:
        from vllm.model_executor.model_loader.reload import finalize_layerwise_reload

        finalize_layerwise_reload(self.model, self.model_config)
        if self.device.type == "cpu":
            _repack_tied_head(self.model)

    def shutdown(self) -> None:
        pass


def _tensors(update: FolderUpdate) -> Iterator[tuple[str, torch.Tensor]]:
    from safetensors import safe_open

    for name in update.files:
        with safe_open(Path(update.folder, name), "pt") as file:
            for tensor in file.keys():  # noqa: SIM118  # it is no dictionary
                yield tensor, file.get_tensor(tensor)


def _repack_tied_head(model: Any) -> None:
    """Pack the output layer again where it is the embedding.

    A CPU multiplies with a packed copy of it. vLLM 0.32 packs anew what it loads, but a tied layer
    is loaded as the embedding, and its copy would stay the old one.
    """
    head = getattr(model, "lm_head", None)
    if head is not None and getattr(model.config, "tie_word_embeddings", False):
        from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

        dispatch_cpu_unquantized_gemm(head, remove_weight=False)


class WorkerExtension:
    """Mixed into vLLM's worker class. Its methods are reachable by `collective_rpc`."""

    model_runner: Any
    start_weight_update: Any
    update_weights: Any
    finish_weight_update: Any

    def codeloop_load(self, folder: str, files: list[str]) -> str:
        """Load this rank's share of a folder; returns what went wrong, empty when nothing did.

        It never raises: vLLM 0.32 reports the first rank that does and leaves the others' replies
        lying, and every later call would be answered with the reply of the one before.
        """
        try:
            with own_pages():
                self.start_weight_update()
                self.update_weights({"folder": folder, "files": files})
                self.finish_weight_update()
        except Exception as error:  # noqa: BLE001  # the reply is the report
            return f"{type(error).__name__}: {error}"
        return ""

    def codeloop_probe(self) -> str:
        """Run the whole model once; returns what is wrong with the logits, empty when nothing is.

        Only for a paused engine with empty caches. It never raises, as `codeloop_load`.
        """
        try:
            return "" if self._is_finite() else "a forward pass gives NaN or infinity"
        except Exception as error:  # noqa: BLE001  # the reply is the report
            return f"a forward pass fails: {type(error).__name__}: {error}"

    def _is_finite(self) -> bool:
        # vLLM's own pass for warming up needs no request, which a paused engine would not run. What
        # it writes into the cache lies in blocks that nobody holds. Without `force_attention` a CPU
        # leaves memory as it finds it in the place of attention's output.
        with torch.inference_mode():
            hidden, last = self.model_runner._dummy_run(
                PROBE_TOKENS, is_profile=True, skip_eplb=True, force_attention=True
            )
            if not isinstance(hidden, torch.Tensor):
                return True  # a rank in the middle of a pipeline has no logits
            logits = self.model_runner.model.compute_logits(last)
            # Only the first tensor-parallel rank may be given the logits.
            return logits is None or bool(torch.isfinite(logits).all())


if FOLDER_BACKEND not in WeightTransferEngineFactory._registry:
    WeightTransferEngineFactory.register_engine(FOLDER_BACKEND, FolderTransfer)

if not torch.cuda.is_available():
    torch.Generator = RewindableGenerator
