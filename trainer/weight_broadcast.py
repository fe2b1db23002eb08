"""Weights that rank 0 has read, handed to the other ranks a module at a time."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def broadcast_weights(module: nn.Module, device: torch.device) -> None:
    """Give all parameters and buffers of a module rank 0's values, on a device of every rank.

    Parameters of other ranks may be on `meta`; what lies in parts already is passed over, and what is
    tied stays tied. All ranks have the same module and call this together.
    """
    given: dict[Tensor, nn.Parameter] = {}
    for owner in module.modules():
        for name, value in list(owner.named_parameters(recurse=False)):
            if isinstance(value, DTensor):
                continue
            if value not in given:
                whole = _from_first(value.detach(), device)
                given[value] = nn.Parameter(whole, requires_grad=value.requires_grad)
            setattr(owner, name, given[value])
        for name, value in list(owner.named_buffers(recurse=False)):
            setattr(owner, name, _from_first(value, device))


def _from_first(value: Tensor, device: torch.device) -> Tensor:
    whole = (
        torch.empty_like(value, device=device) if value.is_meta else value.to(device).contiguous()
    )
    dist.broadcast(whole, src=0)
    return whole
