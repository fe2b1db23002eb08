"""Weights in training in one process, on a CPU or one GPU: all of them, or an adapter."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.freed_memory import keep_freed_memory
from trainer.learner import Learner, adam, reference_scorer, refuse_other_state
from trainer.learner_step import StepSums
from trainer.master_weights import MasterWeights
from trainer.policy_model import Scorer, load_network
from trainer.policy_options import DTYPES, PolicyOptions
from trainer.published import Lineage


class PlainPolicy(Learner):
    """A policy whose weights lie in one process; see trainer.policy.Policy for what it promises."""

    def __init__(
        self, folder: Path, options: PolicyOptions, *, lineage: Lineage | None = None
    ) -> None:
        """folder: a model in Hugging Face's layout. Raises ModelUnfit."""
        super().__init__(options, lineage or Lineage(base=folder))
        device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._device = torch.device(device)
        if self._device.type == "cpu":
            keep_freed_memory()
        dtype = DTYPES[options.compute]
        self._network = load_network(folder, options)
        self._masters = MasterWeights(self._network.to(self._device), dtype)
        self._scorer = Scorer(self._network)
        self._reference = reference_scorer(folder, options, dtype, self._device)
        self._optimiser = adam(list(self._masters), options)

    def state(self) -> dict[str, Any]:
        """Masters, moments and counters; the tensors are the policy's own, so save before stepping."""
        return self._counters() | {
            "weights": {name: master.detach() for name, master in self._masters.named.items()},
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, bit for bit. Raises CheckpointInvalid for one of another model."""
        refuse_other_state(state, self._masters.named)
        self._masters.load(state["weights"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._set_counters(state)

    def _gradients(self) -> list[Tensor]:
        return self._masters.gradients

    def _zero_gradients(self) -> None:
        self._masters.zero_gradients()

    def _weights_changed(self) -> None:
        self._masters.round_into_network()

    def _merge(self, sums: StepSums) -> None:
        """There are no other ranks."""
