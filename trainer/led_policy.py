"""A policy of many ranks behind the scheduler's seam: rank 0 runs the scheduler, all make its calls.

    torchrun --nproc-per-node 8 -m deploy train run my.toml

What rank 0 is asked it tells the others over a gloo group of its own, then does with them. Their parts of
a checkpoint come to rank 0, so its machine's memory has to hold the whole state: 12 bytes a weight.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist

from trainer.errors import CheckpointInvalid, TrainerError
from trainer.packing import Sample
from trainer.policy import StepReport
from trainer.ranks import is_first_of_its_machine

if TYPE_CHECKING:
    from trainer.sharded_policy import ShardedPolicy

_SILENCE = timedelta(days=30)
"""Longest that followers hear nothing: rank 0 samples meanwhile. When it dies, torchrun ends them."""
_FIRST_MEETING = timedelta(hours=2)
"""A model may be downloaded, and is read, before all are there; and the longest step."""
_FAREWELL_SECONDS = 10.0
_END = "end"

Fetched = TypeVar("Fetched")


@contextmanager
def joined() -> Iterator[None]:
    """The default process group, for as long as ranks work together."""
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=_FIRST_MEETING)
    try:
        yield
    finally:
        dist.destroy_process_group()


def first_on_each_machine(fetch: Callable[[], Fetched]) -> Fetched:
    """What the ranks of a machine share is fetched by one of them; the others then find it there."""
    found = fetch() if is_first_of_its_machine() else None
    dist.barrier()
    return fetch() if found is None else found


class LedPolicy:
    """See trainer.policy.Policy. For rank 0; `end` lets the others go."""

    def __init__(self, policy: "ShardedPolicy") -> None:
        self._policy, self._orders = policy, _orders()

    @property
    def version(self) -> int:
        return self._policy.version

    def log_probs(self, samples: Sequence[Sample], temperature: float) -> list[list[float]]:
        self._tell("log_probs", samples, temperature)
        return self._policy.log_probs(samples, temperature)

    def step(self, samples: Sequence[Sample]) -> StepReport:
        self._tell("step", samples)
        return self._policy.step(samples)

    def publish(self, folder: Path, summary: Mapping[str, Any] | None = None) -> None:
        self._tell("publish", folder, summary)
        self._policy.publish(folder, summary)

    def state(self) -> dict[str, Any]:
        """Every rank's part."""
        self._tell("state")
        return {"ranks": _gathered(self._policy, self._orders)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of as many ranks. Raises CheckpointInvalid."""
        parts = state.get("ranks")
        if not isinstance(parts, list) or len(parts) != dist.get_world_size():
            had = (
                f"{len(parts)} ranks" if isinstance(parts, list) else "one process without torchrun"
            )
            raise CheckpointInvalid(
                f"the checkpoint is of {had} and there are {dist.get_world_size()} ranks: parts fit"
                " their own number only; start as many"
            )
        self._tell("load_state")
        _scatter(self._policy, self._orders, parts)

    def end(self) -> None:
        """Let the others go; not waited for when a step of theirs has stuck."""
        farewell = threading.Thread(target=self._tell, args=(_END,), daemon=True)
        farewell.start()
        farewell.join(_FAREWELL_SECONDS)

    def _tell(self, name: str, *arguments: Any) -> None:
        dist.broadcast_object_list([(name, arguments)], src=0, group=self._orders)


def follow(policy: "ShardedPolicy") -> None:
    """Do what rank 0 is asked, until it ends. An error that all ranks meet is rank 0's to tell."""
    orders = _orders()
    while True:
        heard: list[Any] = [None]
        dist.broadcast_object_list(heard, src=0, group=orders)
        name, arguments = heard[0]
        if name == _END:
            return
        try:
            if name == "state":
                _gathered(policy, orders)
            elif name == "load_state":
                _scatter(policy, orders, None)
            else:
                getattr(policy, name)(*arguments)
        except TrainerError:
            continue


def _orders() -> Any:
    return dist.new_group(backend="gloo", timeout=_SILENCE)


def _gathered(policy: "ShardedPolicy", orders: Any) -> list[Any]:
    parts: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(_on_cpu(policy.state()), parts, dst=0, group=orders)
    return parts or []


def _scatter(policy: "ShardedPolicy", orders: Any, parts: list[Any] | None) -> None:
    mine: list[Any] = [None]
    dist.scatter_object_list(mine, parts, src=0, group=orders)
    policy.load_state(mine[0])


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {name: _on_cpu(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_on_cpu, value))
    return value
