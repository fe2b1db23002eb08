"""Float32 masters of the weights that learn, beside the bfloat16 ones that the model works with.

An update of 1e-6 is lost in a bfloat16 weight of 1, whose next neighbour is 0.8% away; the masters keep
it. The model's own weights are always its masters rounded, which is also what is published: learner and
sampler work with the same numbers. Gradients leave the model as soon as they are made and add up in
float32. Where the model works in float32 it is its own master, and nothing is held twice.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class MasterWeights:
    """Masters of a network's trainable parameters, by their names in it."""

    def __init__(self, network: nn.Module, compute: torch.dtype) -> None:
        """Rounds the network to `compute`; its masters keep what they were loaded as."""
        trainable = {
            name: value for name, value in network.named_parameters() if value.requires_grad
        }
        self._is_own = compute is torch.float32
        if self._is_own:
            network.to(torch.float32)
            self._masters: dict[str, Tensor] = dict(trainable)
        else:
            self._masters = {name: value.detach().float() for name, value in trainable.items()}
            network.to(compute)
        self._working = trainable
        for name, master in self._masters.items():
            # Kept over steps: memory that is asked for anew each time is slow to touch and never
            # comes back in one piece.
            master.grad = torch.zeros_like(master)
            if not self._is_own:
                self._working[name].register_post_accumulate_grad_hook(_move_to(master))

    def __iter__(self) -> Any:
        """The masters, for an optimiser."""
        return iter(self._masters.values())

    @property
    def named(self) -> Mapping[str, Tensor]:
        return self._masters

    @property
    def gradients(self) -> list[Tensor]:
        return [master.grad for master in self._masters.values() if master.grad is not None]

    def zero_gradients(self) -> None:
        torch._foreach_zero_(self.gradients)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def round_into_network(self) -> None:
        """After each change of the masters."""
        if not self._is_own:
            for name, master in self._masters.items():
                self._working[name].copy_(master)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take over masters by name; the names are those of `named`."""
        for name, master in self._masters.items():
            master.copy_(weights[name])
        self.round_into_network()


def _move_to(master: Tensor) -> Any:
    def move(working: Tensor) -> None:
        if working.grad is not None:
            assert master.grad is not None
            master.grad.add_(working.grad)
            working.grad = None

    return move
